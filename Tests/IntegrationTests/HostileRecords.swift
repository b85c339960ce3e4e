import Foundation
import TestSupport

/// Makes what no web server sends: FastCGI conversations that are wrong in a random place, or in many. Those of one seed
/// are always the same.
struct HostileRecords {
    /// What a peer does on one connection.
    struct Conversation {
        /// Sent one after the other.
        var pieces: [[UInt8]]
        var end: End
    }

    enum End: CaseIterable {
        /// Says that nothing comes any more, and reads the answer.
        case waits
        /// Leaves without reading.
        case leaves
        /// Reads a little, and leaves.
        case readsALittle
        /// Keeps the connection open until all of its batch have been sent.
        case stays
    }

    private var random: SplitMix64
    private let store: String
    private let payload: [UInt8]

    /// - Parameters:
    ///   - store: the store's path, for the files that requests name.
    ///   - payload: what valid uploads among the conversations have.
    init(seed: UInt64, store: String, payload: [UInt8]) {
        random = SplitMix64(state: seed)
        self.store = store
        self.payload = payload
    }

    /// The next conversation that does not meet a hole of libfcgi.
    mutating func next() -> Conversation {
        while true {
            let conversation = candidate()
            let bytes: [UInt8] = conversation.pieces.reduce(into: []) { $0 += $1 }
            if !meetsHoleOfLibfcgi(bytes) { return conversation }
        }
    }

    private mutating func candidate() -> Conversation {
        var records = one(of: [
            { $0.request() }, { $0.request() }, { $0.request() + $0.request() }, { $0.disorder() }, { $0.parameters() },
            { $0.management() + $0.request() }, { maker in [maker.noise(maker.count(below: 20_000))] },
        ])
        while chance(3) { damage(&records) }
        var bytes: [UInt8] = records.reduce(into: []) { $0 += $1 }
        if chance(4) { bytes = Array(bytes.prefix(count(below: bytes.count + 1))) }
        return Conversation(pieces: cut(bytes), end: End.allCases.randomElement(using: &random) ?? .leaves)
    }

    // MARK: Conversations

    /// A request that is well-formed, which is to say until something is done to it.
    private mutating func request() -> [[UInt8]] {
        var parameters = knownParameters()
        var body = payload
        switch count(below: 6) {
        case 0: body = Array(payload.prefix(count(below: payload.count)))
        case 1: body += noise(count(below: 1000))
        case 2: parameters["CONTENT_LENGTH"] = number()
        default: break
        }
        if chance(3) { parameters["REQUEST_BODY_FILE"] = file() }
        if chance(8) { parameters[String(repeating: "N", count: count(below: 300))] = text() }
        return [beginning()] + parameterRecords(parameters) + input(body)
    }

    /// Records of any type in any order.
    private mutating func disorder() -> [[UInt8]] {
        (0..<count(below: 12)).map { _ in
            record(type: one(of: [{ $0.byte() }, { UInt8(1 + $0.count(below: 11)) }]), noise(count(below: 64)))
        }
    }

    /// Parameters whose lengths are wrong, or whose number is large.
    private mutating func parameters() -> [[UInt8]] {
        var content: [UInt8] = []
        for _ in 0..<one(of: [{ $0.count(below: 4) }, { $0.count(below: 1000) }]) {
            let name = noise(count(below: 20))
            let value = noise(count(below: 40))
            content += length(name.count) + length(value.count) + name + value
        }
        if chance(10) {
            // One that is as large as nginx never makes one.
            content += [0, 0x80, 0x10, 0, 0] + [UInt8](repeating: 0x61, count: 0x10_0000)
        }
        let records = stride(from: 0, to: content.count, by: 65535).map {
            record(type: 4, Array(content[$0..<min($0 + 65535, content.count)]))
        }
        return [beginning()] + records + [record(type: 4, []), record(type: 5, [])]
    }

    /// Records of no request: what libfcgi knows to answer, and what it does not.
    private mutating func management() -> [[UInt8]] {
        let names = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]
        return [
            FastCGIClient.getValues(Array(names.prefix(count(below: 4)))),
            FastCGIClient.record(UInt8(9 + count(below: 247)), noise(count(below: 100)), id: 0),
        ]
    }

    // MARK: Parts

    private mutating func knownParameters() -> [String: String] {
        let digest = one(of: [{ Stack.digest($0.payload) }, { _ in Stack.digest([]) }, { $0.text() }])
        let key = "/blobs/default/common/\(digest)/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        let endpoint = one(of: [
            { _ in ["REQUEST_METHOD": "PUT", "SCRIPT_NAME": "/v2/blobs/put"] },
            { _ in ["REQUEST_METHOD": "GET", "SCRIPT_NAME": "/v2/blobs/get"] },
            { _ in ["REQUEST_METHOD": "HEAD", "SCRIPT_NAME": "/v2/health/head"] },
            { _ in ["REQUEST_METHOD": "POST", "SCRIPT_NAME": "/codec/encode", "LPS_CODEC_PREFIX": "/codec"] },
            { ["REQUEST_METHOD": $0.text(), "SCRIPT_NAME": $0.text()] },
        ])
        var parameters = [
            "QUERY_STRING": one(of: [
                { _ in "namespace=default&digest=\(Stack.escape(digest))" }, { _ in "key=\(Stack.escape(key))" },
                { $0.text() },
            ]),
            "CONTENT_TYPE": "application/octet-stream", "CONTENT_LENGTH": "\(payload.count)",
            "HTTP_X_TEMPORAL_METADATA": one(of: [{ _ in "e30=" }, { $0.text() }]),
            "HTTP_X_PAYLOAD_EXPECTED_CONTENT_LENGTH": one(of: [{ "\($0.payload.count)" }, { $0.number() }]),
        ]
        for name in ["HTTP_RANGE", "HTTP_IF_MATCH", "LPS_ACCEL_PREFIX", "LPS_ALLOWED_NAMESPACES", "LPS_REQUEST_ID"]
        where chance(4) {
            parameters[name] = text()
        }
        return parameters.merging(endpoint) { $1 }
    }

    private mutating func beginning() -> [UInt8] {
        var body: [UInt8] = [0, 1, 0, 0, 0, 0, 0, 0]
        if chance(6) { body[1] = byte() }
        if chance(6) { body[2] = byte() }
        if chance(12) { body = noise(count(below: 20)) }
        return record(type: 1, body)
    }

    /// The records of parameters, one by one.
    private func parameterRecords(_ parameters: [String: String]) -> [[UInt8]] {
        var rest = FastCGIClient.head(parameters)[...].dropFirst(16)
        var records: [[UInt8]] = []
        while let first = rest.first, first == 1 {
            let length = 8 + Int(rest[rest.startIndex + 4]) << 8 + Int(rest[rest.startIndex + 5])
            records.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return records
    }

    private mutating func input(_ body: [UInt8]) -> [[UInt8]] {
        var records = cut(body).map { FastCGIClient.record(5, $0) }
        if !chance(5) { records.append(FastCGIClient.record(5, [])) }
        if chance(6) { records.insert(FastCGIClient.record(2, []), at: count(below: records.count + 1)) }
        return records
    }

    /// A record with padding, of another request or version now and then.
    private mutating func record(type: UInt8, _ content: [UInt8]) -> [UInt8] {
        var record = FastCGIClient.record(type, content, version: chance(20) ? byte() : 1, id: chance(10) ? 2 : 1)
        if chance(3) {
            record[6] = byte()
            record += noise(chance(8) ? count(below: 256) : Int(record[6]))
        }
        return record
    }

    private mutating func file() -> String {
        one(of: [
            { "\($0.store)/incoming/missing" }, { "\($0.store)/layout.json" },
            { "\($0.store)/incoming/../layout.json" },
            { "\($0.store)/incoming/" }, { _ in "/etc/passwd" }, { _ in "/proc/self/mem" }, { $0.text() },
        ])
    }

    private mutating func number() -> String {
        let known = ["", "0", "-1", "1", "18446744073709551615", "18446744073709551616", "9223372036854775808", "1e3"]
        return known.randomElement(using: &random) ?? ""
    }

    private mutating func text() -> String {
        String(decoding: noise(count(below: 60)).filter { $0 != 0 }, as: UTF8.self)
    }

    /// A length of a name or value: right or wrong, in one byte or four.
    private mutating func length(_ count: Int) -> [UInt8] {
        let count = chance(200) ? Int(random.next() >> 33) : count
        return count < 128 && !chance(4)
            ? [UInt8(count)]
            : [UInt8(count >> 24 & 127) | 128, UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255)]
    }

    // MARK: Damage

    private mutating func damage(_ records: inout [[UInt8]]) {
        guard let index = records.indices.randomElement(using: &random), !records[index].isEmpty else { return }
        let place = count(below: records[index].count)
        switch count(below: 7) {
        case 0: records.remove(at: index)
        case 1: records.insert(records[index], at: index)
        case 2: records.swapAt(index, count(below: records.count))
        case 3: records[index][place] = byte()
        case 4: records[index][place] ^= 1 << UInt8(count(below: 8))
        case 5: records[index].insert(contentsOf: noise(count(below: 16)), at: place)
        // A header's fields: version, type, number, length, padding.
        default: records[index][min(place, count(below: 8))] = byte()
        }
    }

    /// In pieces of any size, as a socket brings them.
    private mutating func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        guard chance(2), bytes.count > 1 else { return split(bytes, at: 65535) }
        return split(bytes, at: 1 + count(below: min(bytes.count, 65535)))
    }

    private func split(_ bytes: [UInt8], at size: Int) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: max(size, bytes.count / 64 + 1)).map {
            Array(bytes[$0..<min($0 + max(size, bytes.count / 64 + 1), bytes.count)])
        }
    }

    // MARK: Chance

    private mutating func one<Value>(of makers: [(inout HostileRecords) -> Value]) -> Value {
        makers[count(below: makers.count)](&self)
    }

    private mutating func chance(_ oneIn: Int) -> Bool { count(below: oneIn) == 0 }
    private mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: random.next()) }
    private mutating func count(below limit: Int) -> Int { limit <= 1 ? 0 : Int.random(in: 0..<limit, using: &random) }
    private mutating func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in byte() } }
}
