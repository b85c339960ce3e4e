import Foundation
import TestSupport

/// Generates FastCGI conversations with random errors, which no web server sends. The same seed generates the same
/// conversations.
struct HostileRecords {
    enum End: CaseIterable {
        /// Shuts down its sending side, and reads the answer.
        case waits
        case leaves
        /// Reads a little, and closes.
        case readsALittle
        /// Stays open until its whole batch has been sent.
        case stays
    }

    private var random: SplitMix64
    private let store: String
    private let payload: [UInt8]

    /// - Parameters:
    ///   - store: the store's path, for the body files that requests name.
    ///   - payload: the content of valid uploads.
    init(seed: UInt64, store: String, payload: [UInt8]) {
        random = SplitMix64(state: seed)
        self.store = store
        self.payload = payload
    }

    /// The pieces that a peer sends on one connection, and how it ends. Skips input that triggers bugs of libfcgi.
    mutating func next() -> (pieces: [[UInt8]], end: End) {
        while true {
            var bytes = conversation()
            if chance(4) { bytes = Array(bytes.prefix(count(below: bytes.count + 1))) }
            if meetsHoleOfLibfcgi(bytes) { continue }
            return (cut(bytes), pick(End.allCases))
        }
    }

    private mutating func conversation() -> [UInt8] {
        var records: [[UInt8]]
        switch count(below: 7) {
        case 0, 1: records = request()
        case 2: records = request() + request()
        case 3:
            records = (0..<count(below: 12)).map { _ in record(pick([byte(), UInt8(1 + count(below: 11))]), noise(64)) }
        case 4: records = [beginning(), record(4, wrongParameters()), record(4, []), record(5, [])]
        case 5:
            // Management records, known and unknown to libfcgi.
            let names = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"].prefix(count(below: 4))
            let unknown = FastCGIClient.record(UInt8(9 + count(below: 247)), noise(100), id: 0)
            records = [FastCGIClient.getValues(Array(names)), unknown] + request()
        default: records = [noise(20_000)]
        }
        while chance(3) { damage(&records) }
        return Array(records.joined())
    }

    /// A request of well-formed records with random values.
    private mutating func request() -> [[UInt8]] {
        let digest = pick([Stack.digest(payload), Stack.digest([]), text()])
        let key = Stack.escape("/blobs/default/common/\(digest)/\(Stack.digest([]).dropFirst("sha256:".count))")
        let (method, path) = pick([
            ("PUT", "/v2/blobs/put"), ("GET", "/v2/blobs/get"), ("HEAD", "/v2/health/head"), ("POST", "/codec/encode"),
            (text(), text()),
        ])
        let numbers = ["", "0", "-1", "18446744073709551615", "18446744073709551616", "9223372036854775808", "1e3"]
        let size = "\(payload.count)"
        var parameters = [
            "REQUEST_METHOD": method, "SCRIPT_NAME": path, "CONTENT_TYPE": "application/octet-stream",
            "QUERY_STRING": pick(["namespace=default&digest=\(Stack.escape(digest))", "key=\(key)", text()]),
            "CONTENT_LENGTH": pick([size, size, size, pick(numbers)]), "LPS_CODEC_PREFIX": "/codec",
            "HTTP_X_TEMPORAL_METADATA": pick(["e30=", text()]),
            "HTTP_X_PAYLOAD_EXPECTED_CONTENT_LENGTH": pick([size, pick(numbers)]),
            String(repeating: "N", count: pick([1, count(below: 300)])): text(),
        ]
        for name in ["HTTP_RANGE", "HTTP_IF_MATCH", "LPS_ACCEL_PREFIX", "LPS_ALLOWED_NAMESPACES", "LPS_REQUEST_ID"]
        where chance(4) {
            parameters[name] = text()
        }
        let files = ["incoming/missing", "layout.json", "incoming/../layout.json", "incoming/"].map { "\(store)/\($0)" }
        if chance(3) { parameters["REQUEST_BODY_FILE"] = pick(files + ["/etc/passwd", "/proc/self/mem", text()]) }
        let body = pick([payload, payload, Array(payload.prefix(count(below: payload.count))), payload + noise(1000)])
        // A dictionary's order differs in each run.
        let pairs = parameters.sorted { $0.key < $1.key }
            .map { length($0.key.utf8.count) + length($0.value.utf8.count) + Array("\($0.key)\($0.value)".utf8) }
        let input = cut(body).map { FastCGIClient.record(5, $0) }
        return [beginning(), record(4, Array(pairs.joined())), record(4, [])] + input
            + (chance(5) ? [] : [FastCGIClient.record(5, [])])
    }

    // MARK: Records

    private mutating func beginning() -> [UInt8] {
        record(
            1,
            pick([[0, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0], [0, byte(), byte(), 0, 0, 0, 0, 0], noise(20)])
        )
    }

    /// Parameters with wrong lengths, or very many.
    private mutating func wrongParameters() -> [UInt8] {
        let parameters = (0..<count(below: pick([4, 1000]))).map { _ in
            length(chance(200) ? Int(random.next() >> 33) : count(below: 20)) + length(count(below: 40)) + noise(60)
        }
        return Array(parameters.joined().prefix(65535))
    }

    /// The length of a name or value, in one byte or four.
    private mutating func length(_ count: Int) -> [UInt8] {
        if count < 128, !chance(4) { return [UInt8(count)] }
        return [UInt8(count >> 24 & 127) | 128, UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255)]
    }

    /// A record with padding, sometimes with another request ID or version.
    private mutating func record(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
        var record = FastCGIClient.record(type, content, version: chance(20) ? byte() : 1, id: chance(10) ? 2 : 1)
        if chance(3) {
            record[6] = byte()
            record += [UInt8](repeating: 0, count: chance(8) ? count(below: 256) : Int(record[6]))
        }
        return record
    }

    private mutating func damage(_ records: inout [[UInt8]]) {
        guard let index = records.indices.randomElement(using: &random), !records[index].isEmpty else { return }
        let place = count(below: records[index].count)
        switch count(below: 7) {
        case 0: records.remove(at: index)
        case 1: records.insert(records[index], at: index)
        case 2: records.swapAt(index, count(below: records.count))
        case 3: records[index][place] = byte()
        case 4: records[index][place] ^= 1 << UInt8(count(below: 8))
        case 5: records[index].insert(contentsOf: noise(16), at: place)
        // The header's fields: version, type, request ID, length, padding.
        default: records[index][min(place, count(below: 8))] = byte()
        }
    }

    /// At most 64 pieces of any size, as a socket delivers them.
    private mutating func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        let size = max(pick([65535, 1 + count(below: 65535)]), bytes.count / 64 + 1)
        return stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
    }

    // MARK: Chance

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[count(below: values.count)] }
    private mutating func chance(_ oneIn: Int) -> Bool { count(below: oneIn) == 0 }
    private mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: random.next()) }
    private mutating func count(below limit: Int) -> Int { limit <= 1 ? 0 : Int.random(in: 0..<limit, using: &random) }
    /// Fewer than `limit` random bytes.
    private mutating func noise(_ limit: Int) -> [UInt8] { (0..<count(below: limit)).map { _ in byte() } }
    private mutating func text() -> String { String(decoding: noise(60).filter { $0 != 0 }, as: UTF8.self) }
}
