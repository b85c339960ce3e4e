import Logging
import PayloadService
import Scoreboard

/// Records requests on the scoreboard and in the access log, and logs slow ones.
final class RequestRecorder: Sendable {
    private let scoreboard: Scoreboard
    private let threads: [ThreadActivity]
    private let accessLog: LogFile?
    private let logger: Logger

    init(_ scoreboard: Scoreboard, threads: Int, _ accessLog: LogFile?, _ logger: Logger) {
        self.scoreboard = scoreboard
        self.threads = (0..<threads).map { ThreadActivity(scoreboard, thread: $0) }
        self.accessLog = accessLog
        self.logger = logger
    }

    func accepted(_ thread: Int) { threads[thread].accepted() }
    func closed(_ thread: Int) { threads[thread].closed() }

    /// Makes the thread's row follow the request's phases.
    func begin(_ call: ServiceRequest, _ trace: RequestTrace, _ thread: Int) { threads[thread].begin(call, trace) }

    /// Counts and logs an answered request.
    ///
    /// - Parameter limit: the duration after which a request is logged as slow; `nil` for never.
    func end(
        _ call: ServiceRequest,
        _ trace: RequestTrace,
        status: Int,
        _ format: AccessFormat,
        slowAfter limit: Duration?
    ) {
        scoreboard.count(trace, status: status)
        if trace.isTimedOut { scoreboard.add(to: .timeouts) }
        accessLog?.write(format.line(call, trace, status: status))
        guard let limit, trace.age > limit else { return }
        scoreboard.add(to: .slow)
        var details: Logger.Metadata = [
            "endpoint": "\(trace.endpoint.rawValue)", "status": "\(status)",
            "duration": "\(AccessFormat.seconds(trace.age))", "bytes_in": "\(trace.bytesIn)",
            "bytes_out": "\(trace.bytesOut)",
        ]
        for phase in RequestTrace.Phase.allCases {
            if let duration = trace.durations[phase] { details["\(phase)"] = "\(AccessFormat.seconds(duration))" }
        }
        if let namespace = trace.namespace { details["namespace"] = "\(namespace)" }
        if let digest = trace.digest { details["digest"] = "\(digest)" }
        logger.warning("slow request", metadata: details)
    }
}
