/// What a tar archive has under a name.
package struct TarEntry: Equatable, Sendable {
    /// The kinds that carry payloads, or come with those that do.
    package enum Kind: Equatable, Sendable {
        /// A file of so many bytes, which follow.
        case file(size: UInt64)
        /// Another name of a file that came before.
        case hardLink(to: [UInt8])
        case folder
    }

    /// The path's bytes, as the archive has them: nothing about them is checked.
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
