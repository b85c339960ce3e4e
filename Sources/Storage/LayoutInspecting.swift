/// A store whose files and folders can be inspected and repaired, and that remembers its scrubs.
public protocol LayoutInspecting: PayloadStorage {
    /// Scans the tree for faults that a crash or an accident left, while uploads, downloads and deletions continue:
    /// every kind of ``Finding`` except ``Finding/Kind/damaged``, which a scrub finds. Reads no content.
    ///
    /// - Parameters:
    ///   - repair: repair what can be repaired safely. Files that do not belong to the store are never touched.
    ///   - looksForUnreferencedContent: also find unreferenced content, and delete it if `repair` is set.
    ///   - report: called with each finding, after its repair.
    /// - Throws: ``StoreError``, or what `report` throws; with code `busy`, after everything else was inspected, if
    ///   another process is collecting garbage.
    func inspect(repair: Bool, looksForUnreferencedContent: Bool, report: (Finding) throws -> Void) throws

    /// The record of the last complete scrub; `nil` if there was none, or its record can't be read.
    func lastScrub() throws -> ScrubRecord?
}

/// When the content of a store was last verified, in microseconds since 1970, by the clock that the file system uses
/// for timestamps.
public struct ScrubRecord: Codable, Equatable, Sendable {
    /// When the last complete scrub started: all content that has not changed since then is verified.
    public let started: Int64
    /// When the last complete scrub of all content started; `nil` if there was none.
    public let startedFull: Int64?
}
