import FoundationEssentials
import Glibc
import Storage

/// The file `last-scrub.json`. Its times come from ``DiskStore/fileSystemTime()``, so that they compare exactly with a
/// file's ctime.
extension DiskStore {
    /// The record of the last complete scrub; `nil` if there was none, if its record can't be read, or if the record is
    /// in the future because the clock was ahead.
    ///
    /// - Throws: ``StoreError`` if the file exists but can't be opened.
    public func lastScrub() throws -> ScrubRecord? {
        guard try root.status(of: StoreLayout.scrubRecord) != nil else { return nil }
        let file = try root.open(StoreLayout.scrubRecord, O_RDONLY | O_NONBLOCK)
        do {
            let record = try JSONDecoder().decode(ScrubRecord.self, from: Data(file.head()))
            if record.started <= (try fileSystemTime()) { return record }
            logger.warning("last scrub record is in the future")
            return nil
        } catch {
            // Reading too much does no harm.
            logger.warning("last scrub record is unreadable", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Records a complete scrub. Replaces the record in one step, so that a crash leaves either the old or the new one.
    ///
    /// - Parameters:
    ///   - started: when it began.
    ///   - isFull: whether it read everything.
    func recordScrub(started: Int64, isFull: Bool) throws {
        let full = isFull ? started : try lastScrub()?.startedFull
        let json = "{\"started\":\(started)" + (full.map { ",\"startedFull\":\($0)" } ?? "") + "}\n"
        // A file left in incoming/ by a crash is deleted with the leftover uploads.
        let temporary = "\(StoreLayout.incoming)/\(IncomingFile.uniqueName(root.kernel))"
        let file = try root.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o640)
        try file.write(Array(json.utf8))
        try file.synchronize()
        try root.rename(temporary, to: StoreLayout.scrubRecord)
        try root.synchronize()
    }

    /// The current time of the clock that the file system uses for timestamps, in microseconds since 1970. Files that
    /// change later have no earlier ctime. The system's own clock is slightly ahead of it.
    func fileSystemTime() throws -> Int64 {
        // Uses an existing file, so that a scrub also runs on a full disk.
        let file = try root.open(StoreLayout.collectorLock, O_RDWR | O_CREAT, mode: 0o640)
        try file.setModified(nil)
        return try file.status().changed
    }
}
