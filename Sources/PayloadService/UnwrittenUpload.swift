import Encoding
import Storage

/// A subrequest of nginx that asks how to answer a request that nginx failed to pass on. Its path is the request's path below
/// a prefix that no location exposes to clients.
///
/// The answer reveals only whether the disk is full, and only to callers whose body nginx accepted: nginx creates the body's
/// file after it has authenticated the caller.
struct UnwrittenUpload {
    private static let prefix = "/lps/unwritten/".utf8

    let path: ServiceRequest.Bytes

    /// Returns `nil` for any other request.
    init?(_ path: ServiceRequest.Bytes) {
        guard path.starts(with: Self.prefix) else { return nil }
        // The prefix's last slash is the path's first one.
        self.path = path.dropFirst(Self.prefix.count - 1)
    }

    func refusal(of request: ServiceRequest, _ store: any PayloadStorage) throws -> Refusal {
        if case .file(let file) = request.body {
            do {
                let length = request.headers.contentLength.flatMap { try? DecimalNumber.parse($0) }
                try store.uploads.checkRoom(forUnwritten: Array(file), length: length)
            } catch let error as StoreError where error.code == .uploadNotAcceptable && error.errno == nil {
                // The web server buffers bodies in a folder of its own, which the worker can't check.
            }
        }
        return Refusal(.internalServerError, "the web server failed, its error log says how")
    }
}
