import Encoding
import Logging
import Storage

/// A failed request's answer and log line.
struct Failure {
    let refusal: Refusal
    let level: Logger.Level
    let logged: Logger.Message

    /// - Parameter endpoint: the endpoint that failed.
    init(_ error: any Error, of endpoint: RequestTrace.Endpoint) {
        switch error {
        case is UploadMismatch:
            self.init(.notice, "upload does not match its digest or length", .badRequest, "checksum mismatch")
        case is RequestTimeout:
            self.init(.warning, "request timed out", .serviceUnavailable, "\(error)", isRetried: true)
        case let error as NextCodecError:
            self.init(
                .error,
                "next codec server failed",
                .serviceUnavailable,
                printable("\(error)".utf8),
                isRetried: true
            )
        case let error as StoreError:
            self.init(error, of: endpoint)
        default:
            let message = "upload was cut off: \(printable("\(error)".utf8))"
            self.init(.notice, "upload cut off", .badRequest, message)
        }
    }

    private init(_ error: StoreError, of endpoint: RequestTrace.Endpoint) {
        let text = printable("\(error)".utf8)
        switch error.code {
        case .noSpace:
            self.init(.error, "no space for upload", .insufficientStorage, text)
        case .engineFull:
            self.init(
                .error,
                "storage engine full",
                .insufficientStorage,
                "the storage engine has no space"
            )
        case .quotaExceeded:
            self.init(.notice, "namespace quota exceeded", .insufficientStorage, text)
        case .counting:
            self.init(.notice, "upload refused while its namespace is being counted", .serviceUnavailable, text)
        case .uploadGone:
            // If this happens to every upload, the worker and the web server use different incoming/ folders.
            let message = "the upload's file is gone"
            self.init(.warning, "upload file gone, client disconnected", .internalServerError, message)
        case .busy:
            let message = "the store is busy, try again"
            self.init(.error, "store lock held too long", .serviceUnavailable, message, isRetried: true)
        case _ where error.isShortOfFiles:
            self.init(.error, "store failed", .serviceUnavailable, "too many files are open, try again")
        case .vanished:
            let status = endpoint == .get ? Status.notFound : .badRequest
            self.init(.info, "payload deleted during the request", status, "blob not found")
        case .unavailable:
            let message = "the storage engine can't be used now, try again"
            self.init(.error, "storage engine unavailable", .serviceUnavailable, message, isRetried: true)
        default:
            let message = "the store failed, the worker's log says how"
            self.init(.error, "store failed", .internalServerError, message)
        }
    }

    /// - Parameter isRetried: whether to add `Retry-After`.
    private init(
        _ level: Logger.Level,
        _ logged: Logger.Message,
        _ status: Status,
        _ message: String,
        isRetried: Bool = false
    ) {
        refusal = Refusal(status, message, headers: isRetried ? [("Retry-After", "5")] : [])
        self.level = level
        self.logged = logged
    }
}
