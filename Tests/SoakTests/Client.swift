import Foundation
import TestSupport

/// A client of the service, which does one thing after the other, and looks at every answer.
final class Client {
    /// How fast it sends and reads.
    enum Pace {
        case fast
        /// Waits after each 64 KiB.
        case slow
    }

    /// What it may do that is not done in full.
    enum Cut: CaseIterable {
        case beforeBody, inBody, beforeAnswer
    }

    let load: Load
    private let pace: Pace
    private var connection: HTTPConnection?
    private var uses = 0

    init(_ load: Load, _ pace: Pace) {
        self.load = load
        self.pace = pace
    }

    private var ledger: Ledger { load.ledger }
    private var tally: Tally { load.tally }
    private var prefix: String { pace == .slow ? "slow " : "" }

    /// Goes on until the load is over.
    func run() {
        while load.gate.pass({
            repeat { act() } while !load.gate.isClosing
            // What is open in a pause is to be the service's own.
            connection = nil
        }) {}
    }

    private func act() {
        switch pace {
        case .fast:
            actAtRandom()
            usleep(UInt32.random(in: 0...40_000))
        case .slow:
            var payload = ledger.newPayload()
            while !(200_000...4_000_000).contains(payload.size) { payload = ledger.newPayload() }
            upload(payload, .deleted, "upload, new")
        }
    }

    private func actAtRandom() {
        switch Int.random(in: 0..<100) {
        case ..<32: uploadNew()
        case ..<44: uploadAgain()
        case ..<52: shareContent()
        case ..<72: if let entry = ledger.any(Retention.allCases.randomElement() ?? .kept) { download(entry) }
        case ..<78: if let entry = ledger.any(.kept) { downloadPart(entry) }
        case ..<82: if let entry = ledger.any(.kept) { download(entry, isStreamed: true) }
        case ..<86: uploadWrong()
        case ..<90: cutUpload()
        case ..<93: if let entry = ledger.any(.kept) { cutDownload(entry) }
        case ..<96: health()
        case ..<98: missing()
        default: codec()
        }
    }

    // MARK: Requests

    /// Makes a request, and counts what came of it.
    ///
    /// - Parameter comesFromWorker: whether the body of the answer comes from a worker, and ends with it.
    /// - Returns: the answer; `nil` where the request failed. That it may only when a worker was killed meanwhile.
    private func request<Answer>(
        _ kind: String,
        comesFromWorker: Bool = false,
        _ body: (HTTPConnection) throws -> (status: Int, answer: Answer)
    ) -> (status: Int, answer: Answer)? {
        let killed = load.kills.past
        do {
            let connection = try takeConnection()
            let result = try body(connection)
            self.connection = connection
            tally.count(prefix + kind, "\(result.status)")
            if result.status == 503, load.kills.isKilled(since: killed) { return nil }
            guard result.status < 500 else {
                tally.violation("\(kind): \(result.status) \(result.answer)")
                return nil
            }
            return result
        } catch {
            tally.count(prefix + kind, "cut off")
            if !comesFromWorker || !load.kills.isKilled(since: killed) { tally.violation("\(kind): \(error)") }
            return nil
        }
    }

    private func takeConnection() throws -> HTTPConnection {
        uses += 1
        defer { connection = nil }
        if let connection, uses % 20 != 0 { return connection }
        return try HTTPConnection(load.stack.httpSocket)
    }

    private func wait() { if pace == .slow { usleep(40_000) } }

    /// Sends an upload, of which `digest` is told to be the digest, and reads the answer.
    ///
    /// - Returns: when its last byte was about to be sent, and the answer.
    private func put(
        _ payload: SoakPayload,
        _ namespace: String,
        _ digest: String,
        _ kind: String
    ) -> (status: Int, sent: Double, text: String)? {
        let result = request(kind) { connection in
            var sent = now()
            try connection.send(
                "PUT",
                Stack.putTarget(namespace: namespace, digest: digest),
                Stack.putHeaders(),
                length: payload.size
            )
            try payload.forEachPiece {
                wait()
                sent = now()
                try connection.send($0)
            }
            let answer = try connection.receive(answerTo: "PUT")
            return (answer.status, (sent, answer.text))
        }
        return result.map { ($0.status, $0.answer.0, $0.answer.1) }
    }

    /// Uploads until it is answered, as clients do, reads it back, and remembers it.
    private func upload(_ payload: SoakPayload, _ retention: Retention, _ kind: String, isKnown: Bool? = nil) {
        let digest = payload.digest
        let killed = load.kills.past
        for _ in 0..<20 {
            guard let answer = put(payload, retention.namespace, digest, "\(kind), \(retention)") else { continue }
            let key = SoakPayload.key(digest, in: retention.namespace)
            // nginx gives an upload whose worker dies to the next one, which may find it stored.
            let expected = isKnown.map { $0 ? 200 : 201 }
            let isExpected = expected.map { $0 == answer.status || load.kills.isKilled(since: killed) } ?? true
            guard (200...201).contains(answer.status), isExpected, answer.text == #"{"Key":"\#(key)"}"# + "\n" else {
                return tally.violation("\(kind) of \(payload.seed), \(retention): \(answer.status) \(answer.text)")
            }
            ledger.add(payload, retention, sent: answer.sent)
            download(ledger.entry(of: payload, retention), digest: digest)
            return
        }
        tally.violation("\(kind): twenty attempts failed")
    }

    private func get(
        _ entry: Ledger.Entry,
        _ digest: String,
        _ headers: [String: String],
        _ kind: String,
        range: Range<Int>? = nil,
        isStreamed: Bool = false
    ) {
        let key = SoakPayload.key(digest, in: entry.retention.namespace)
        let range = range ?? 0..<entry.payload.size
        _ = request(kind, comesFromWorker: isStreamed) { connection in
            try connection.send(
                "GET",
                Stack.getTarget(key),
                Stack.getHeaders(length: entry.payload.size).merging(headers) { $1 }
            )
            let head = try connection.receiveHead()
            let length = head.headers["content-length"].flatMap { Int($0) } ?? -1
            guard head.status == 200 || head.status == 206 else {
                let text = String(decoding: try connection.take(max(0, length)), as: UTF8.self)
                let mayBeGone = head.status == 404 && text == "blob not found" && now() > entry.certainUntil
                if !mayBeGone, head.status < 500 {
                    tally.violation("\(kind) of \(entry.payload.seed), \(entry.retention): \(head.status) \(text)")
                }
                return (head.status, text)
            }
            var comparison = SoakComparison(entry.payload, from: range.lowerBound)
            try connection.take(length, pieces: pace == .slow ? SoakPayload.pieceSize : 256 << 10) {
                wait()
                comparison.take($0)
            }
            let isWhole = comparison.isEqual && length == range.count && head.headers["etag"] == "\"\(digest)\""
            if !isWhole { tally.violation("\(kind) of \(entry.payload.seed), \(entry.retention): wrong bytes") }
            tally.add("bytes read", length)
            return (head.status, "")
        }
    }

    // MARK: Kinds

    private func uploadNew() {
        let retention = Retention.allCases.filter { !$0.isForever || load.mayKeep($0) }.randomElement() ?? .deleted
        upload(ledger.newPayload(), retention, "upload, new", isKnown: false)
    }

    private func uploadAgain() {
        guard let entry = ledger.any(Retention.allCases.randomElement() ?? .kept) else { return }
        upload(entry.payload, entry.retention, "upload, again", isKnown: entry.retention == .kept ? true : nil)
    }

    /// Stores content that must stay in a namespace where it goes, and the empty payload, which is in all of them.
    private func shareContent() {
        let shared = Bool.random() ? ledger.any(.kept)?.payload : nil
        upload(shared ?? .empty, [Retention.deleted, .trashed].randomElement() ?? .deleted, "upload, shared content")
    }

    private func download(_ entry: Ledger.Entry, digest: String? = nil, isStreamed: Bool = false) {
        let digest = digest ?? entry.payload.digest
        // nginx leaves a download with this header to the worker.
        let headers = isStreamed ? ["If-Match": "\"\(digest)\""] : [:]
        get(
            entry,
            digest,
            headers,
            isStreamed ? "download by the worker" : "download, \(entry.retention)",
            isStreamed: isStreamed
        )
    }

    private func downloadPart(_ entry: Ledger.Entry) {
        guard entry.payload.size > 1 else { return }
        let start = Int.random(in: 0..<entry.payload.size)
        let range = start..<Int.random(in: start + 1...entry.payload.size)
        let header = ["Range": "bytes=\(range.lowerBound)-\(range.upperBound - 1)"]
        get(entry, entry.payload.digest, header, "download of a part", range: range)
    }

    /// Reads what must be there, whatever its age.
    func downloadAtTheEnd(_ payload: SoakPayload, _ retention: Retention) {
        let entry = Ledger.Entry(payload: payload, retention: retention, certainUntil: .infinity)
        get(entry, payload.digest, [:], "download at the end, \(retention)")
    }

    /// Sends other bytes than the digest says: of a payload that nobody has, or of one that is stored.
    private func uploadWrong() {
        let wrong = ledger.newPayload()
        let stored = Bool.random() ? ledger.any(.kept) : nil
        let digest = (stored?.payload ?? ledger.newPayload()).digest
        guard let answer = put(wrong, Retention.kept.namespace, digest, "upload, wrong digest") else { return }
        if answer.status != 400 || answer.text != "checksum mismatch" {
            tally.violation("upload, wrong digest: \(answer.status) \(answer.text)")
        }
        if let stored { return download(stored, digest: digest) }
        expectMissing(digest, size: wrong.size, "download of a refused upload")
    }

    /// Sends a part and leaves. What was sent in full may be stored, so it is sent again, as clients do.
    private func cutUpload() {
        let payload = ledger.newPayload()
        let digest = payload.digest
        let cut = Cut.allCases.randomElement() ?? .inBody
        let retention = load.mayKeep(.kept) ? Retention.kept : .deleted
        do {
            let connection = try HTTPConnection(load.stack.httpSocket)
            let target = Stack.putTarget(namespace: retention.namespace, digest: digest)
            try connection.send("PUT", target, Stack.putHeaders(), length: payload.size)
            tally.count("upload, cut off by the client", "\(cut)")
            var rest = cut == .beforeAnswer ? payload.size : cut == .beforeBody ? 0 : Int.random(in: 0..<payload.size)
            try payload.forEachPiece {
                let count = min(rest, $0.count)
                if count > 0 { try connection.send(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
                rest -= count
            }
        } catch {
            tally.violation("upload, cut off by the client: \(error)")
        }
        if cut == .beforeAnswer { return upload(payload, retention, "upload, again after a cut") }
        expectMissing(digest, in: retention, size: payload.size, "download of a cut upload")
    }

    private func cutDownload(_ entry: Ledger.Entry) {
        do {
            let connection = try HTTPConnection(load.stack.httpSocket)
            let key = SoakPayload.key(entry.payload.digest, in: entry.retention.namespace)
            try connection.send("GET", Stack.getTarget(key), Stack.getHeaders(length: entry.payload.size))
            if Bool.random() { _ = try connection.take(min(1000, entry.payload.size)) }
            tally.count("download, cut off by the client", "done")
        } catch {
            tally.violation("download, cut off by the client: \(error)")
        }
    }

    private func health() {
        let answer = request("health") { connection in
            try connection.send("HEAD", "/v2/health/head", [:])
            return (try connection.receive(answerTo: "HEAD").status, "")
        }
        if let answer, answer.status != 200 { tally.violation("health: \(answer.status)") }
    }

    /// Asks for what is not stored, or for another length than it has.
    private func missing() {
        expectMissing(ledger.newPayload().digest, size: 1, "download of nothing")
        guard let entry = ledger.any(.kept) else { return }
        let key = SoakPayload.key(entry.payload.digest, in: entry.retention.namespace)
        expect(412, key, length: entry.payload.size + 1, "download of another length")
    }

    private func expectMissing(_ digest: String, in retention: Retention = .kept, size: Int, _ kind: String) {
        expect(404, SoakPayload.key(digest, in: retention.namespace), length: size, kind)
    }

    private func expect(_ status: Int, _ key: String, length: Int, _ kind: String) {
        let answer = request(kind) { connection in
            try connection.send("GET", Stack.getTarget(key), Stack.getHeaders(length: length))
            let answer = try connection.receive()
            return (answer.status, answer.text)
        }
        if let answer, answer.status != status { tally.violation("\(kind): \(answer.status) \(answer.answer)") }
    }

    // MARK: The codec server

    /// Has a payload encoded, and what came decoded.
    private func codec() {
        let seed = UInt64.max - UInt64.random(in: 0..<16)
        let data = Data(SoakPayload(seed: seed).beginning).base64EncodedString()
        let payload: [String: Any] = ["data": data, "metadata": ["encoding": "YmluYXJ5L3BsYWlu"]]
        guard let encoded = post("encode", payload), let decoded = post("decode", encoded) else { return }
        guard decoded["data"] as? String == data else {
            return tally.violation("codec server, decode: wrong bytes")
        }
        // A small one stays as it is.
        guard let encoded = encoded["data"] as? String, encoded != data else { return }
        let reference =
            Data(base64Encoded: encoded).flatMap { try? JSONSerialization.jsonObject(with: $0) } as? [String: Any]
        guard let digest = reference?["digest"] as? String else {
            return tally.violation("codec server, encode: no reference")
        }
        ledger.addCodec(seed, digest: digest)
    }

    private func post(_ operation: String, _ payload: [String: Any]) -> [String: Any]? {
        let kind = "codec server, \(operation)"
        guard let body = try? JSONSerialization.data(withJSONObject: ["payloads": [payload]]) else { return nil }
        let answer = request(kind, comesFromWorker: true) { connection in
            let headers = ["X-Namespace": "codec", "Content-Type": "application/json"]
            try connection.send("POST", "/codec/\(operation)", headers, length: body.count)
            try connection.send(Array(body))
            let answer = try connection.receive(answerTo: "POST")
            return (answer.status, answer.body)
        }
        guard let answer else { return nil }
        let json = try? JSONSerialization.jsonObject(with: Data(answer.answer)) as? [String: [[String: Any]]]
        guard answer.status == 200, let payload = json?["payloads"]?.first else {
            tally.violation("\(kind): \(answer.status)")
            return nil
        }
        return payload
    }
}
