/// Where a file of a store is. Its three words fit into an existential, which then needs no allocation.
package struct FileLocation: PayloadLocation {
    /// The length in bytes.
    package let size: UInt64
    /// Relative to the store's root.
    private let path: String

    /// Finds a file of a store; `nil` if it does not exist.
    ///
    /// Does not open it, and follows a link in place of a folder above it: so does the web server when it opens the file
    /// by its path. If the web server can't open it, a worker is asked for the content.
    ///
    /// - Throws: ``StoreError`` with code `unreadable`, or `damaged` if it is not a regular file.
    package init?(_ path: String, below root: Descriptor) throws {
        guard let status = try reading({ try root.status(of: path, isFolderCertain: true) }) else { return nil }
        guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
        size = status.size
        self.path = path
    }

    package func redirect(isRange: Bool) -> InternalRedirect { InternalRedirect(path) }
}
