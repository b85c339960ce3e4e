import ArgumentParser
import S3Store
import Storage

extension Scrub {
    func scrub(
        _ bucket: S3Store,
        _ rate: RateLimit,
        _ progress: Progress?,
        _ report: (Finding) throws -> Void
    ) throws -> (read: String, note: String) {
        guard !sinceLast, !repair else {
            throw ValidationError(
                "--\(sinceLast ? "since-last" : "repair") is for a store on a disk: "
                    + (sinceLast ? "a bucket keeps no record of scrubs" : "a bucket has nothing to mend")
            )
        }
        var limit = rate
        if let progress {
            progress.begin("listing payloads")
            var bytes: UInt64 = 0
            try bucket.forEachKey { bytes += $0.size ?? 0 }
            progress.begin(.bytes, total: bytes)
        }
        let read = try bucket.scrub(
            pace: {
                progress?.advance(by: $0)
                limit.pass($0)
            },
            report: report
        )
        return ("\(read.files) objects, \(Output.size(read.bytes))", "")
    }
}
