import Foundation
import TestSupport

/// A client that sends one request at a time, and checks every answer.
final class Client {
    private static let pieceSize = 64 << 10

    private let load: Load
    /// Whether it pauses before each piece that it sends or reads.
    private let isSlow: Bool
    private var connection: HTTPConnection?
    private var uses = 0
    /// The time just before the last request's last bytes were sent.
    private var sent = 0.0

    init(_ load: Load, isSlow: Bool) {
        self.load = load
        self.isSlow = isSlow
    }

    private var ledger: Ledger { load.ledger }

    /// Sends requests until the load is over.
    func run() {
        while !load.isOver {
            if isSlow {
                uploadSlowly()
            } else {
                act()
                usleep(.random(in: 0...40_000))
            }
        }
    }

    private func act() {
        switch Int.random(in: 0..<100) {
        case ..<32: uploadNew()
        case ..<44: uploadAgain()
        case ..<52: shareContent()
        case ..<72:
            let retention = Retention.random
            if let entry = ledger.any(retention) { download(entry, "download, \(retention)") }
        case ..<78: if let entry = ledger.any(.kept) { downloadPart(entry) }
        case ..<82: if let entry = ledger.any(.kept) { downloadFromWorker(entry) }
        case ..<86: uploadWrong()
        case ..<90: cutUpload()
        case ..<93: if let entry = ledger.any(.kept) { cutDownload(entry) }
        case ..<96: health()
        case ..<98: missing()
        default: codec()
        }
    }

    // MARK: Requests

    /// Sends a request, and counts its result.
    ///
    /// - Parameter comesFromWorker: whether a worker sends the answer's body, which a kill cuts off.
    /// - Returns: the answer; `nil` if the request failed, which is a violation unless a worker was killed meanwhile.
    private func request(
        _ kind: String,
        _ method: String,
        _ target: String,
        _ headers: [String: String] = [:],
        body: [UInt8]? = nil,
        comesFromWorker: Bool = false
    ) -> HTTPAnswer? {
        let kind = isSlow ? "slow \(kind)" : kind
        let kills = load.kills
        do {
            let connection = try takeConnection()
            try connection.send(method, target, headers, length: body?.count)
            try send(body ?? [], on: connection)
            let answer = try receive(answerTo: method, on: connection)
            self.connection = connection
            load.count("\(kind): \(answer.status)")
            if answer.status < 500 { return answer }
            load.expect(answer.status == 503 && load.isKilled(since: kills), "\(kind): \(answer.status) \(answer.text)")
        } catch {
            load.count("\(kind): cut off")
            load.expect(comesFromWorker && load.isKilled(since: kills), "\(kind): \(error)")
        }
        return nil
    }

    /// Reuses the connection for up to twenty requests, unless one of them fails.
    private func takeConnection() throws -> HTTPConnection {
        uses += 1
        defer { connection = nil }
        if let connection, uses % 20 != 0 { return connection }
        return try HTTPConnection(load.stack.httpSocket)
    }

    private func send(_ body: [UInt8], on connection: HTTPConnection) throws {
        sent = now()
        for start in stride(from: 0, to: body.count, by: Self.pieceSize) {
            wait()
            sent = now()
            try connection.send(Array(body[start..<min(start + Self.pieceSize, body.count)]))
        }
    }

    private func receive(answerTo method: String, on connection: HTTPConnection) throws -> HTTPAnswer {
        guard isSlow, method == "GET" else { return try connection.receive(answerTo: method) }
        let head = try connection.receiveHead()
        var body: [UInt8] = []
        let length = head.headers["content-length"].flatMap { Int($0) } ?? 0
        try connection.take(length, pieces: Self.pieceSize) {
            wait()
            body += $0
        }
        return HTTPAnswer(status: head.status, headers: head.headers, body: body)
    }

    private func wait() { if isSlow { usleep(40_000) } }

    /// - Parameter digest: the digest that the request claims.
    private func put(_ payload: SoakPayload, _ retention: Retention, digest: String, _ kind: String) -> HTTPAnswer? {
        let target = Stack.putTarget(namespace: retention.namespace, digest: digest)
        return request(kind, "PUT", target, Stack.putHeaders(), body: payload.bytes)
    }

    /// Retries an upload until it succeeds, as clients do, records it, and downloads the payload.
    private func upload(_ payload: SoakPayload, _ retention: Retention, _ kind: String, isKnown: Bool? = nil) {
        let digest = payload.digest
        let kills = load.kills
        for _ in 0..<20 {
            guard let answer = put(payload, retention, digest: digest, "\(kind), \(retention)") else { continue }
            // nginx passes an upload whose worker dies to the next one, which may find it stored.
            let isExpected = isKnown.map { answer.status == ($0 ? 200 : 201) } ?? true || load.isKilled(since: kills)
            let isTaken = [200, 201].contains(answer.status)
            guard isTaken, isExpected, (try? Stack.key(answer)) == payload.key(in: retention.namespace) else {
                return load.violation("\(kind) of \(payload.seed), \(retention): \(answer.status) \(answer.text)")
            }
            ledger.add(payload, retention, sent: sent)
            return download(ledger.entry(of: payload, retention), "download, \(retention)")
        }
        load.violation("\(kind): twenty attempts failed")
    }

    func download(
        _ entry: Ledger.Entry,
        _ kind: String,
        _ headers: [String: String] = [:],
        range: Range<Int>? = nil,
        comesFromWorker: Bool = false
    ) {
        let (payload, retention) = (entry.payload, entry.retention)
        let target = Stack.getTarget(payload.key(in: retention.namespace))
        let headers = Stack.getHeaders(length: payload.size).merging(headers) { $1 }
        guard let answer = request(kind, "GET", target, headers, comesFromWorker: comesFromWorker) else { return }
        if answer.status == 404, answer.text == "blob not found", now() > entry.certainUntil { return }
        let isWhole =
            [200, 206].contains(answer.status) && Data(answer.body) == Data(payload.bytes)[range ?? 0..<payload.size]
            && answer.headers["etag"] == "\"\(payload.digest)\""
        load.expect(isWhole, "\(kind) of \(payload.seed), \(retention): \(answer.status), \(answer.body.count) bytes")
    }

    // MARK: Kinds

    private func uploadSlowly() {
        var payload = ledger.newPayload()
        while !(200_000...4_000_000).contains(payload.size) { payload = ledger.newPayload() }
        upload(payload, .deleted, "upload, new")
    }

    private func uploadNew() {
        let retention = Retention.allCases.filter { !$0.isForever || load.mayKeep($0) }.randomElement() ?? .deleted
        upload(ledger.newPayload(), retention, "upload, new", isKnown: false)
    }

    private func uploadAgain() {
        guard let entry = ledger.any(.random) else { return }
        upload(entry.payload, entry.retention, "upload, again", isKnown: entry.retention == .kept ? true : nil)
    }

    /// Stores kept content, or the empty payload, in a namespace whose keys are deleted.
    private func shareContent() {
        let shared = Bool.random() ? ledger.any(.kept)?.payload : nil
        upload(shared ?? .empty, Bool.random() ? .deleted : .trashed, "upload, shared content")
    }

    private func downloadPart(_ entry: Ledger.Entry) {
        guard entry.payload.size > 1 else { return }
        let start = Int.random(in: 0..<entry.payload.size)
        let range = start..<Int.random(in: start + 1...entry.payload.size)
        let header = ["Range": "bytes=\(range.lowerBound)-\(range.upperBound - 1)"]
        download(entry, "download of a part", header, range: range)
    }

    /// With this header the worker sends the download, not nginx.
    private func downloadFromWorker(_ entry: Ledger.Entry) {
        let header = ["If-Match": "\"\(entry.payload.digest)\""]
        download(entry, "download by the worker", header, comesFromWorker: true)
    }

    /// Sends content that does not match its digest, which is that of a new payload or of a stored one.
    private func uploadWrong() {
        let wrong = ledger.newPayload()
        let stored = Bool.random() ? ledger.any(.kept) : nil
        let claimed = stored?.payload ?? ledger.newPayload()
        guard let answer = put(wrong, .kept, digest: claimed.digest, "upload, wrong digest") else { return }
        let isRefused = answer.status == 400 && answer.text == "checksum mismatch"
        load.expect(isRefused, "upload, wrong digest: \(answer.status) \(answer.text)")
        if let stored { return download(stored, "download, kept") }
        expect(404, claimed, size: wrong.size, "download of a refused upload")
    }

    /// Aborts an upload. One that was sent in full may be stored, so it is repeated, as clients do.
    private func cutUpload() {
        let payload = ledger.newPayload()
        let retention = load.mayKeep(.kept) ? Retention.kept : .deleted
        let part = [0, .random(in: 0..<payload.size), payload.size].randomElement() ?? 0
        leaving("upload") { connection in
            let target = Stack.putTarget(namespace: retention.namespace, digest: payload.digest)
            try connection.send("PUT", target, Stack.putHeaders(), length: payload.size)
            try connection.send(Array(payload.bytes.prefix(part)))
        }
        if part == payload.size { return upload(payload, retention, "upload, again after a cut") }
        expect(404, payload, in: retention, size: payload.size, "download of a cut upload")
    }

    private func cutDownload(_ entry: Ledger.Entry) {
        leaving("download") { connection in
            let target = Stack.getTarget(entry.payload.key(in: entry.retention.namespace))
            try connection.send("GET", target, Stack.getHeaders(length: entry.payload.size))
            if Bool.random() { _ = try connection.take(min(1000, entry.payload.size)) }
        }
    }

    /// Starts a request on a new connection, and closes the connection.
    private func leaving(_ kind: String, _ begin: (HTTPConnection) throws -> Void) {
        load.count("\(kind), cut off by the client")
        do { try begin(HTTPConnection(load.stack.httpSocket)) } catch {
            load.violation("\(kind), cut off by the client: \(error)")
        }
    }

    private func health() {
        guard let answer = request("health", "HEAD", "/v2/health/head") else { return }
        load.expect(answer.status == 200, "health: \(answer.status)")
    }

    /// Requests a payload that is not stored, and one with a wrong length.
    private func missing() {
        expect(404, ledger.newPayload(), size: 1, "download of nothing")
        guard let payload = ledger.any(.kept)?.payload else { return }
        expect(412, payload, size: payload.size + 1, "download of another length")
    }

    private func expect(
        _ status: Int,
        _ payload: SoakPayload,
        in retention: Retention = .kept,
        size: Int,
        _ kind: String
    ) {
        let target = Stack.getTarget(payload.key(in: retention.namespace))
        guard let answer = request(kind, "GET", target, Stack.getHeaders(length: size)) else { return }
        load.expect(answer.status == status, "\(kind): \(answer.status) \(answer.text)")
    }

    // MARK: The codec server

    /// Encodes a payload, and decodes the result.
    private func codec() {
        let seed = UInt64.max - .random(in: 0..<16)
        let payload = JSONPayload(Array(SoakPayload(seed: seed).bytes.prefix(2 << 20)))
        guard let encoded = post("encode", payload), let decoded = post("decode", encoded) else { return }
        load.expect(decoded.data == payload.data, "codec server, decode: wrong bytes")
        // The codec server leaves small payloads unchanged.
        guard encoded != payload else { return }
        let reference = try? JSONSerialization.jsonObject(with: encoded.data) as? [String: Any]
        guard let digest = reference?["digest"] as? String else {
            return load.violation("codec server, encode: no reference")
        }
        ledger.addCodec(seed, digest: digest)
    }

    private func post(_ operation: String, _ payload: JSONPayload) -> JSONPayload? {
        let headers = ["X-Namespace": "codec", "Content-Type": "application/json"]
        let (kind, body) = ("codec server, \(operation)", try? JSONPayloads([payload]).json)
        let answer = request(kind, "POST", "/codec/\(operation)", headers, body: body, comesFromWorker: true)
        guard let answer else { return nil }
        let payload = try? JSONPayloads(answer).payloads.first
        load.expect(answer.status == 200 && payload != nil, "\(kind): \(answer.status)")
        return payload
    }
}
