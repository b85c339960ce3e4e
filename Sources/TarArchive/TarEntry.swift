/// An entry of a tar archive.
package struct TarEntry: Equatable, Sendable {
    /// The kinds that an archive of payloads can contain.
    package enum Kind: Equatable, Sendable {
        /// A file with `size` bytes of content, which follow the header.
        case file(size: UInt64)
        /// Another name of a file earlier in the archive.
        case hardLink(to: [UInt8])
        case folder
    }

    /// The path's bytes as they are in the archive, unchecked.
    package let name: [UInt8]
    package let kind: Kind
    /// Seconds since 1970.
    package let modified: Int

    package init(name: [UInt8], kind: Kind, modified: Int) {
        self.name = name
        self.kind = kind
        self.modified = modified
    }
}
