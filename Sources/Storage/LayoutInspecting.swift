/// A store whose files and folders can be inspected and repaired, and that remembers its scrubs.
public protocol LayoutInspecting: PayloadStorage {
    /// Looks through the tree for what a crash or an accident has left, while uploads, downloads and deletions go on:
    /// every kind of ``Finding`` but ``Finding/Kind/damaged``, which a scrub finds. No content is read.
    ///
    /// - Parameters:
    ///   - repair: repair what can be repaired safely. Files that are not the store's are never touched.
    ///   - looksForUnreferencedContent: also look for, and delete, content that no key names.
    ///   - report: called with each finding, when it is repaired.
    /// - Throws: ``StoreError``, or what `report` throws; with code `busy` when garbage is being collected, after all else
    ///   was looked at.
    func inspect(repair: Bool, looksForUnreferencedContent: Bool, report: (Finding) throws -> Void) throws

    /// What the last complete scrub has left; `nil` when there was none, or its record can't be read.
    func lastScrub() throws -> ScrubRecord?
}

/// When the content of a store was last verified, in microseconds since 1970 on the clock that the file system stamps files
/// with.
public struct ScrubRecord: Codable, Equatable, Sendable {
    /// When the last scrub that came to its end had begun: all content that has not changed since is verified.
    public let started: Int64
    /// When the last one of those that read everything had begun; `nil` when there was none.
    public let startedFull: Int64?
}
