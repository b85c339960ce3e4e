import PayloadKey

/// Something in a store that is not as it should be, and what became of it.
public struct Finding: Sendable {
    /// What can be wrong.
    public enum Kind: String, Sendable, CaseIterable {
        /// Content that does not have its digest, or that the disk does not give back.
        case damaged
        /// Content, or a folder, that this user may not read, or that the disk does not give back; what is in it was not
        /// verified.
        case unreadable
        /// Content that no key names: what deletions and interrupted uploads leave until the next sweep.
        case unreferencedContent
        /// A key whose content is lost. It answers 404 until the same payload is uploaded again.
        case keyWithoutContent
        /// A file of an upload that was cut off long ago.
        case staleUpload
        /// Permissions that lack what the store needs, or give what is nobody else's.
        case wrongMode
        /// A file or folder of another user than the store's.
        case wrongOwner
        /// A folder or file that every store has.
        case missing
        /// A file or folder that is not the store's. It is never touched.
        case stray
    }

    /// What was done about it.
    public enum Remedy: Sendable {
        /// Nothing: it was not asked for, or there is nothing that could safely be done.
        case none
        /// It is mended; says how.
        case mended(String)
        /// It could not be mended.
        case failed(any Error)
    }

    /// What is wrong.
    public let kind: Kind
    /// The file or folder, relative to the store's root; `.` is the root.
    public let path: String
    /// What is wrong with it, for people.
    public let reason: String
    /// What was done about it.
    public let remedy: Remedy
    /// What damaged content was; `nil` for every other kind, and when it could not be moved.
    public let damage: Damage?

    package init(_ kind: Kind, _ path: String, _ reason: String, _ remedy: Remedy = .none, damage: Damage? = nil) {
        self.kind = kind
        self.path = path
        self.reason = reason
        self.remedy = remedy
        self.damage = damage
    }
}

/// Content that is not what was stored, and who had it.
public struct Damage: Sendable {
    /// The digest that the content should have.
    public let digest: Digest
    /// Where it was moved, relative to the store's root; `nil` when an upload had replaced it by then.
    public let quarantine: String?
    /// The keys that name it. They answer 404 until the same payload is uploaded again, under any key.
    public let keys: [PayloadKey]
    /// The keys in the trash that name it: until then they can't be undeleted.
    public let trashed: [PayloadKey]

    package init(digest: Digest, quarantine: String?, keys: [PayloadKey], trashed: [PayloadKey]) {
        self.digest = digest
        self.quarantine = quarantine
        self.keys = keys
        self.trashed = trashed
    }
}
