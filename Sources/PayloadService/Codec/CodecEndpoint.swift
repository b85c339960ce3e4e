import Encoding
import PayloadKey
import Storage

/// A codec server (docs.temporal.io/codec-server) for the `temporal` command line and the Web UI: replaces large payloads
/// by references and back. Follows the same rules as the codecs (``PayloadReference``), but uses the store directly.
struct CodecEndpoint {
    let store: any PayloadStorage
    /// Bytes.
    let maximumPayload: UInt64
    let limits: CodecLimits

    func respond(to request: ServiceRequest, _ path: CodecPath, _ trace: RequestTrace) throws -> ServiceResponse {
        let namespace = try self.namespace(request, path)
        trace.subject.namespace = namespace
        let tenancy = Tenancy(request.allowedNamespaces)
        if let namespace { try tenancy.check(namespace) }
        try trace.enter(.parsing)
        let body = try CodecBody(try upload(request, path, trace))
        try trace.enter(.checking)
        if path.operation != .encode { try body.checkReferences() }
        var work = CodecWork(
            store: store,
            limits: limits,
            body: body,
            namespace: namespace,
            tenancy: tenancy,
            showsReferences: Query(request.query).preservesStorageReferences,
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
        if path.operation != .encode { trace.bytesOut += work.answer.length }
        return work.answer.response(body.upload, store, until: trace.deadline)
    }

    /// The namespace in the path, or else in the header `X-Namespace`.
    private func namespace(_ request: ServiceRequest, _ path: CodecPath) throws -> Namespace? {
        guard let text = path.namespace ?? request.headers.namespace else {
            guard path.operation != .encode else {
                throw Refusal.badRequest("namespace is required, in the path or in the header X-Namespace")
            }
            return nil
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

extension Query {
    /// Whether the client shows references and can download their payloads, as the Web UI does.
    fileprivate var preservesStorageReferences: Bool {
        self["preserveStorageRefs"].map { String(decoding: $0, as: UTF8.self).lowercased() } == "true"
    }
}
