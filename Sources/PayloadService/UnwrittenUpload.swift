import Encoding
import Storage

/// What nginx asks when it has failed before it could hand over a request: what to answer. The path is that of the request
/// below a prefix, which no location lets a client name.
///
/// Gives away nothing but whether the disk is full, and that only to whom nginx has let send a body: it does not begin the
/// file of one before the caller is known.
struct UnwrittenUpload {
    private static let prefix = Array("/lps/unwritten".utf8)

    let path: [UInt8]

    /// `nil` when it is another request.
    init?(_ path: [UInt8]) {
        guard path.starts(with: Self.prefix + [UInt8(ascii: "/")]) else { return nil }
        self.path = Array(path.dropFirst(Self.prefix.count))
    }

    func refusal(of request: ServiceRequest, _ store: any PayloadStorage) throws -> Refusal {
        if case .file(let file) = request.body {
            do {
                let length = request.headers.contentLength.flatMap { try? DecimalNumber.parse($0) }
                try store.uploads.checkRoom(forUnwritten: file, length: length)
            } catch let error as StoreError where error.code == .uploadNotAcceptable && error.errno == nil {
                // The web server has a folder of its own for bodies, of which nothing is known here.
            }
        }
        return Refusal(.internalServerError, "the web server failed, its error log says how")
    }
}
