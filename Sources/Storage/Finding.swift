import PayloadKey

/// A fault that a scrub or an inspection found in a store, and what was done about it.
public struct Finding: Sendable {
    /// The kinds of faults.
    public enum Kind: String, Sendable, CaseIterable {
        /// Content whose bytes do not match its digest, or that the disk can't return.
        case damaged
        /// Content or a folder that this user may not read, or that the disk can't return; its content was not
        /// verified.
        case unreadable
        /// Unreferenced content: left by deletions and interrupted uploads until the next sweep.
        case unreferencedContent
        /// A key whose content is lost. It answers 404 until the same payload is uploaded again.
        case keyWithoutContent
        /// A file left by an upload that was interrupted over a day ago.
        case staleUpload
        /// Permissions that lack what the store needs, or that allow others too much.
        case wrongMode
        /// A file or folder that belongs to another user than the store.
        case wrongOwner
        /// A missing folder or file that every store needs.
        case missing
        /// A file or folder that does not belong to the store. It is never touched.
        case stray
    }

    /// The result of a repair.
    public enum Remedy: Sendable {
        /// Nothing: no repair was requested, or none is safe.
        case none
        /// It was repaired; the text says how.
        case mended(String)
        /// The repair failed.
        case failed(any Error)
    }

    /// The kind of fault.
    public let kind: Kind
    /// The file or folder, relative to the store's root; `.` is the root itself.
    public let path: String
    /// The fault in words, as the rest of a sentence that begins with the path.
    public let reason: String
    /// Whether and how it was repaired.
    public let remedy: Remedy
    /// Details of damaged content; `nil` for every other kind, and if the content could not be moved.
    public let damage: Damage?

    package init(_ kind: Kind, _ path: String, _ reason: String, _ remedy: Remedy = .none, damage: Damage? = nil) {
        self.kind = kind
        self.path = path
        self.reason = reason
        self.remedy = remedy
        self.damage = damage
    }
}

/// Damaged content and the keys that lost it.
public struct Damage: Sendable {
    /// The digest that the content should have.
    public let digest: Digest
    /// The quarantined file, relative to the store's root; `nil` if an upload had already replaced the content.
    public let quarantine: String?
    /// The keys that name it. They answer 404 until the same payload is uploaded again, under any key.
    public let keys: [PayloadKey]
    /// The keys in the trash that name it. They can't be undeleted until the payload is uploaded again.
    public let trashed: [PayloadKey]

    package init(digest: Digest, quarantine: String?, keys: [PayloadKey], trashed: [PayloadKey]) {
        self.digest = digest
        self.quarantine = quarantine
        self.keys = keys
        self.trashed = trashed
    }
}
