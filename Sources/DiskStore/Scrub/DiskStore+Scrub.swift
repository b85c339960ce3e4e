import PayloadKey
import Storage

extension DiskStore {
    /// Reads all content, each object once, and moves what is damaged to `quarantine/`, while uploads and downloads go on.
    ///
    /// When it has come to its end, the store remembers when it began; a scrub that was interrupted or failed counts for
    /// nothing.
    ///
    /// - Parameters:
    ///   - scope: what to read. A scrub since the last one sees all that was written since, and what a program did to a
    ///     file; it can't see content that the disk has lost or changed by itself, for which only reading everything will
    ///     do, nor what was written while the system's clock was set back behind the last scrub.
    ///   - pace: called after so many bytes were read; may take its time.
    ///   - report: called with each finding: damaged content, when it is moved, and content and folders that can't be read,
    ///     which make a scrub incomplete.
    /// - Returns: what was read.
    /// - Throws: ``StoreError``; what was moved is safe, and another scrub does the rest.
    public func scrub(
        _ scope: ScrubScope = .everything,
        pace: (_ bytes: Int) -> Void = { _ in },
        report: (Finding) throws -> Void
    ) throws -> Scrubbed {
        let started = try fileSystemTime()
        let since = try start(of: scope)
        return try withoutActuallyEscaping(pace) { pace in
            try withoutActuallyEscaping(report) { report in
                let run = ScrubRun(store: self, since: since, pace: pace, report: report)
                for shard in UInt8.min...UInt8.max { try run.objects(of: shard) }
                if run.isComplete { try recordIfThereIsRoom(started: started, isFull: since == .min) }
                return run.read
            }
        }
    }

    private func recordIfThereIsRoom(started: Int64, isFull: Bool) throws {
        do {
            try recordScrub(started: started, isFull: isFull)
        } catch let error as StoreError where error.code == .noSpace {
            logger.warning("no space to record the scrub", metadata: ["error": "\(error)"])
        }
    }

    /// How many bytes a scrub is going to read; nothing is read for that.
    public func contentToScrub(_ scope: ScrubScope) throws -> UInt64 {
        let since = try start(of: scope)
        var bytes: UInt64 = 0
        // The scrub reports what can't be read.
        try forEachObject(failed: { _ in }) { if $0.changed >= since { bytes += $0.size } }
        return bytes
    }

    /// From when on what has changed must be read, in microseconds since 1970.
    ///
    /// An object's ctime is when it was linked: what was there when the last scrub began, and has not changed since, was
    /// read by it, or by one before.
    private func start(of scope: ScrubScope) throws -> Int64 {
        switch scope {
        case .everything: .min
        case .sinceLast: try lastScrub()?.started ?? .min
        }
    }
}
