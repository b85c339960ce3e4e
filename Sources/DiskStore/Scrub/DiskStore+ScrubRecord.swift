import FoundationEssentials
import Glibc
import Storage

/// The file `last-scrub.json`. Its times are those of ``DiskStore/fileSystemTime()``, so that they compare with a file's
/// ctime without slack.
extension DiskStore {
    /// What the last complete scrub has left; `nil` when there was none, or its record can't be read, or is of a clock that
    /// was ahead.
    ///
    /// - Throws: ``StoreError`` when the file can't be opened for another reason than that there is none.
    public func lastScrub() throws -> ScrubRecord? {
        guard try root.status(of: StoreLayout.scrubRecord) != nil else { return nil }
        let file = try root.open(StoreLayout.scrubRecord, O_RDONLY | O_NONBLOCK)
        do {
            let record = try JSONDecoder().decode(ScrubRecord.self, from: Data(file.head()))
            if record.started <= (try fileSystemTime()) { return record }
            logger.warning("the record of the last scrub is in the future")
            return nil
        } catch {
            // Nobody loses anything by a scrub that reads too much.
            logger.warning("the record of the last scrub can't be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Notes that a scrub is complete; replaces the record in one step, so that a crash leaves the old one or the new one.
    ///
    /// - Parameters:
    ///   - started: when it began.
    ///   - isFull: whether it has read everything.
    func recordScrub(started: Int64, isFull: Bool) throws {
        let full = isFull ? started : try lastScrub()?.startedFull
        let json = "{\"started\":\(started)" + (full.map { ",\"startedFull\":\($0)" } ?? "") + "}\n"
        // What a crash leaves of it in incoming/ is the sweep's.
        let temporary = "\(StoreLayout.incoming)/\(IncomingFile.uniqueName(root.kernel))"
        let file = try root.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o640)
        try file.write(Array(json.utf8))
        try file.synchronize()
        try root.rename(temporary, to: StoreLayout.scrubRecord)
        try root.synchronize()
    }

    /// The time by which the file system stamps what changes now, in microseconds since 1970: what changes afterwards
    /// has a ctime that is not before it. The system's own clock runs a moment ahead of it.
    func fileSystemTime() throws -> Int64 {
        // A file that is there: a full disk is no reason not to scrub.
        let file = try root.open(StoreLayout.collectorLock, O_RDWR | O_CREAT, mode: 0o640)
        try file.setModified(nil)
        return try file.status().changed
    }
}
