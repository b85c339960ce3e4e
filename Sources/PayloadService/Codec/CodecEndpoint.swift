import Encoding
import Logging
import PayloadKey
import Storage

/// A codec server (docs.temporal.io/codec-server) for the `temporal` command line and the Web UI: replaces large payloads
/// by references and back. Follows the same rules as the codecs (``PayloadReference``), but uses the store directly.
struct CodecEndpoint {
    let store: any PayloadStorage
    /// Bytes.
    let maximumPayload: UInt64
    let limits: CodecLimits
    let next: (any NextCodec)?
    let logger: Logger

    func respond(to request: ServiceRequest, _ path: CodecPath, _ trace: RequestTrace) throws -> ServiceResponse {
        let namespace = try self.namespace(request, path)
        trace.subject.namespace = namespace
        let tenancy = request.tenancy
        if let namespace {
            try path.operation == .encode ? tenancy.checkStoring(namespace) : tenancy.checkReading(namespace)
        }
        try request.checkContentEncoding()
        let chain = try next.map { next in
            try CodecChain(next, namespace, request.credentials(), store.uploads, trace)
        }
        try trace.enter(.parsing)
        var body = try CodecBody(try upload(request, path, trace))
        if let chain, path.operation == .encode { body = try chain.encode(body, limit: maximumPayload) }
        try trace.enter(.checking)
        if path.operation != .encode { try body.checkReferences() }
        var work = CodecWork(
            store: store,
            limits: limits,
            body: body,
            namespace: namespace,
            tenancy: tenancy,
            display: Query(request.query).display,
            trace: trace
        )
        for (index, payload) in body.payloads.enumerated() {
            try namingPayload(index) {
                try trace.advance()
                switch path.operation {
                case .encode: try work.encode(payload)
                case .decode: try work.decode(payload, at: index)
                case .download: try work.download(payload)
                }
            }
        }
        log(work)
        var response = work.answer.response(body.upload, store, until: trace.deadline)
        guard path.operation != .encode else { return response }
        if let chain {
            response.body = try chain.decode(response.body, count: body.payloads.count, limit: limits.answerLimit)
        }
        if case .produced(let length, _) = response.body { trace.bytesOut += length }
        return response
    }

    private func log(_ work: CodecWork) {
        let undecoded = work.answer.undecoded
        guard !undecoded.isEmpty else { return }
        var details: Logger.Metadata = ["payloads": "\(undecoded.field)"]
        if let fault = work.fault { details["error"] = "\(fault)" }
        logger.log(level: work.fault == nil ? .notice : .error, "payloads not decoded", metadata: details)
    }

    /// The namespace in the path or in the header `X-Namespace`.
    private func namespace(_ request: ServiceRequest, _ path: CodecPath) throws -> Namespace? {
        let header = request.headers.namespace
        guard let text = path.namespace ?? header else {
            guard path.operation != .encode else {
                throw Refusal.badRequest("namespace is required, in the path or in the header X-Namespace")
            }
            return nil
        }
        guard !text.equals("{namespace}") else {
            throw Refusal.badRequest(
                "namespace is the placeholder '{namespace}': the client does not replace it, leave it out of the URL"
            )
        }
        if let header, header != text {
            throw Refusal.badRequest(
                "the path names namespace '\(printable(text))', but the header X-Namespace '\(printable(header))'"
            )
        }
        return try Namespace(named: text)
    }

    private func upload(_ request: ServiceRequest, _ path: CodecPath, _ trace: RequestTrace) throws -> Upload {
        let upload: Upload
        switch request.body {
        case .file(let path):
            upload = try store.uploads.open(uploadAt: Array(path))
        case .stream(let source):
            if path.operation == .encode { try store.uploads.checkSpace(for: 0) }
            upload = try store.uploads.spool(from: trace.watching(source), limit: maximumPayload)
        }
        guard upload.size <= maximumPayload else {
            throw Refusal(.contentTooLarge, "body exceeds max size of \(maximumPayload) bytes")
        }
        return upload
    }
}

extension ServiceRequest {
    /// Checks that the body is not compressed (RFC 9110 section 8.4).
    fileprivate func checkContentEncoding() throws {
        guard let coding = headers.contentEncoding, !coding.equals("identity") else { return }
        throw Refusal(
            .unsupportedMediaType,
            "Content-Encoding '\(printable(coding))' is not supported, send the body uncompressed",
            headers: [("Accept-Encoding", "identity")]
        )
    }
}

extension Query {
    /// What the client wants to see of large payloads. The Web UI shows references and can download their payloads.
    fileprivate var display: CodecWork.Display {
        if isTrue("preserveStorageRefs") { return .references }
        return isTrue("placeholders") ? .placeholders : .payloads
    }

    private func isTrue(_ name: StaticString) -> Bool {
        self[name].map { String(decoding: $0, as: UTF8.self).lowercased() } == "true"
    }
}
