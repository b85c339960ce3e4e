import Foundation
import TestSupport
import Testing

/// Temporal's codec server protocol, through a real nginx and a real worker.
@Suite(.serialized) struct CodecServerTests {
    private static let large = 200_000
    private static let versionName = "temporal.io/remote-codec"

    private func encode(_ payloads: [JSONPayload], _ stack: Stack) throws -> [JSONPayload] {
        try JSONPayloads(stack.codec("encode", JSONPayloads(payloads).json)).payloads
    }

    private func decode(_ payloads: [JSONPayload], _ stack: Stack, _ path: String = "decode") throws -> [JSONPayload] {
        try JSONPayloads(stack.codec(path, JSONPayloads(payloads).json)).payloads
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A large payload becomes a reference and comes back, a small one stays what it is`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let payloads = [
            JSONPayload(randomPayload(Self.large)), JSONPayload(Array("small".utf8)),
            JSONPayload(randomPayload(Self.large + 1), metadata: ["a": "1", "remote-codec/key-prefix": "team/a"]),
            JSONPayload([], metadata: [:]),
        ]
        let encoded = try encode(payloads, stack)
        #expect(encoded.count == 4)
        #expect(encoded[1] == payloads[1])
        #expect(encoded[3] == payloads[3])
        for index in [0, 2] {
            #expect(
                encoded[index].metadata == ["encoding": Data("json/plain".utf8), Self.versionName: Data("v2".utf8)]
            )
            #expect(encoded[index].data.count < 1000)
        }
        #expect(String(decoding: encoded[2].data, as: UTF8.self).contains("/blobs/default/custom/team/a/sha256:"))
        #expect(try decode(encoded, stack) == payloads)
        #expect(try decode([encoded[0], encoded[2]], stack, "download") == [payloads[0], payloads[2]])
        try stack.expectNothingIncoming()
    }

    @Test(arguments: CodecVector.all)
    func `What the existing codec wrote is decoded, and written the same`(vector: CodecVector) throws {
        let stack = try Stack(options: ["--codec-min-size", "32"])
        let payload = JSONPayload(vector.data, metadata: vector.metadata)
        let answer = try stack.codec("encode", JSONPayloads([payload]).json, ["X-Namespace": "test"])
        let encoded = try JSONPayloads(answer).payloads
        #expect(Array(encoded[0].data) == vector.encoded)
        #expect(try decode(encoded, stack) == [payload])
    }

    @Test func `The threshold counts the serialized payload, and can be set`() throws {
        let stack = try Stack()
        // 1 byte of tag and 3 of length before the data.
        let payloads = [
            JSONPayload(randomPayload(127_996), metadata: [:]), JSONPayload(randomPayload(127_997), metadata: [:]),
        ]
        let encoded = try encode(payloads, stack)
        #expect(encoded[0] == payloads[0])
        #expect(encoded[1].metadata[Self.versionName] != nil)
    }

    @Test func `The namespace is the path's, or else the header's, and encoding needs one`() throws {
        let stack = try Stack()
        let body = try JSONPayloads([JSONPayload(randomPayload(Self.large))]).json
        func key(_ operation: String, _ headers: [String: String]) throws -> String {
            let data = try JSONPayloads(stack.codec(operation, body, headers)).payloads[0].data
            return String(decoding: data, as: UTF8.self)
        }
        #expect(try key("encode", ["X-Namespace": "head"]).contains("\"/blobs/head/common/"))
        #expect(try key("path/encode", [:]).contains("\"/blobs/path/common/"))
        #expect(try key("path/encode", ["X-Namespace": "head"]).contains("\"/blobs/path/common/"))
        #expect(try key("a%20b/encode", [:]).contains("\"/blobs/a b/common/"))
        expectError(
            try stack.codec("encode", body, [:]),
            400,
            "namespace is required, in the path or in the header X-Namespace",
            "none"
        )
        expectError(try stack.codec("encode", body, ["X-Namespace": "a/b"]), 400, nil, "one that is not usable")
        #expect(try stack.codec("decode", Array(#"{"payloads":[]}"#.utf8), [:]).status == 200)
    }

    @Test func `Paths and methods that the codec server has not are refused`() throws {
        let stack = try Stack()
        let body = Array(#"{"payloads":[]}"#.utf8)
        for path in ["", "x", "decode/", "a/b/decode", "a/decoded", "/decode", "a/encode/x", "Decode"] {
            let answer = try stack.codec(path, body)
            // nginx makes one slash of two.
            #expect(answer.status == (path == "/decode" ? 200 : 404), "\(path)")
        }
        for method in ["GET", "PUT", "HEAD", "DELETE"] {
            let answer = try stack.request(method, "/codec/decode", body: method == "PUT" ? body : nil)
            #expect(answer.status == 405, "\(method)")
            #expect(answer.headers["allow"] == "POST")
        }
        #expect(try stack.request("POST", "/v2/codec/decode", body: body).status == 404)
    }

    @Test func `Without its location in nginx, a worker has no codec server`() throws {
        let stack = try Stack(nginx: { $0.replacingOccurrences(of: "fastcgi_param LPS_CODEC_PREFIX /codec;", with: "") }
        )
        expectError(
            try stack.codec("decode", Array(#"{"payloads":[]}"#.utf8)),
            404,
            "unknown path '/codec/decode'",
            "decode"
        )
    }

    @Test(arguments: Stack.Mode.allCases)
    func `What is wrong with a body is told, with the payload's index`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let good = #"{"metadata":{},"data":""}"#
        func metadata(_ version: String) -> String {
            #""metadata":{"temporal.io/remote-codec":"\#(Data(version.utf8).base64EncodedString())"}"#
        }
        let cases: [(String, Int, String)] = [
            ("", 400, "body is not a JSON object of payloads: expected '{' at byte 0"),
            ("[]", 400, "body is not a JSON object of payloads: expected '{' at byte 0"),
            (#"{"payloads":[\#(good)"#, 400, "body is not a JSON object of payloads: expected ',' at byte 38"),
            (
                #"{"payloads":[\#(good)]}x"#, 400,
                "body is not a JSON object of payloads: text after the value at byte 40"
            ),
            (#"{"payloads":{}}"#, 400, "body is not a JSON object of payloads: expected '[' at byte 12"),
            (
                #"{"payloads":[],"payloads":[]}"#, 400,
                "body is not a JSON object of payloads: payloads are given twice at byte 26"
            ),
            (#"{"payloads":[\#(good),1]}"#, 400, "payload 1: expected '{' at byte 39"),
            (#"{"payloads":[\#(good),{"data":1}]}"#, 400, "payload 1: expected '\"' at byte 47"),
            (#"{"payloads":[\#(good),{"data":"QQ=A"}]}"#, 400, "payload 1: its data is not valid base64"),
            (#"{"payloads":[\#(good),{"data":"Q"}]}"#, 400, "payload 1: its data is not valid base64"),
            (#"{"payloads":[\#(good),{"data":"QQ==QQ=="}]}"#, 400, "payload 1: its data is not valid base64"),
            (#"{"payloads":[{"data":"","data":""}]}"#, 400, "payload 0: data is given twice at byte 31"),
            (#"{"payloads":[{"metadata":{"a":"!"}}]}"#, 400, "payload 0: its metadata 'a' is not valid base64"),
            (#"{"payloads":[{"metadata":{"a":1}}]}"#, 400, "payload 0: expected '\"' at byte 30"),
            (
                #"{"payloads":[\#(good),{\#(metadata("v3")),"data":""}]}"#, 400,
                "payload 1: unknown version 'v3' in temporal.io/remote-codec"
            ),
            (
                #"{"payloads":[{\#(metadata("v1")),"data":""}]}"#, 400,
                "payload 0: it was stored under version v1 of the API, which this service does not have (temporal.io/remote-codec)"
            ),
            (
                #"{"payloads":[{\#(metadata("v2")),"data":""}]}"#, 400,
                "payload 0: invalid reference to a large payload: expected '{' at byte 0"
            ),
        ]
        for (body, status, message) in cases {
            expectError(try stack.codec("decode", Array(body.utf8)), status, message, body)
            let encoded = try stack.codec("encode", Array(body.utf8))
            // What is to be encoded need not be a reference that can be followed.
            #expect(encoded.status == (body.contains("remote-codec") ? 200 : status), "\(body)")
        }
        try stack.expectNothingIncoming()
    }

    @Test func `A reference that leads nowhere, or to something else, is refused with its index`() throws {
        let stack = try Stack()
        let payload = JSONPayload(randomPayload(Self.large))
        let reference = try encode([payload], stack)[0]
        let text = String(decoding: reference.data, as: UTF8.self)
        let digest = Stack.digest(Array(payload.data))
        func refused(_ text: String, _ status: Int, _ message: String, _ operation: String) throws {
            var changed = reference
            changed.data = Data(text.utf8)
            let answer = try stack.codec(operation, JSONPayloads([reference, changed]).json)
            expectError(answer, status, "payload 1: \(message)", operation)
        }
        for operation in ["decode", "download"] {
            let other = Stack.digest([1])
            try refused(text.replacingOccurrences(of: digest, with: other), 400, "blob not found", operation)
            try refused(text.replacingOccurrences(of: "/blobs/", with: "/../"), 400, "blob not found", operation)
            try refused(
                text.replacingOccurrences(of: "\"size\":200000", with: "\"size\":1"),
                400,
                "payload has 200000 bytes, expected 1",
                operation
            )
            try refused(
                text.replacingOccurrences(of: "\"digest\":\"\(digest)", with: "\"digest\":\"\(other)"),
                400,
                "its digest \(other) is not the one of its key "
                    + (text.components(separatedBy: "\"key\":\"").last?.dropLast(2) ?? ""),
                operation
            )
        }
        expectError(
            try stack.codec("download", JSONPayloads([reference, payload]).json),
            400,
            "payload 1: it is no reference to a large payload, so there is nothing to download",
            "a payload that is none"
        )
    }

    @Test func `A damaged payload is a fault of the service, never an answer`() throws {
        let stack = try Stack()
        let reference = try encode([JSONPayload(randomPayload(Self.large))], stack)
        let object = try #require(stack.objects.first)
        let file = try #require(FileHandle(forUpdatingAtPath: "\(stack.store)/\(object)"))
        try file.write(contentsOf: Data("damaged".utf8))
        expectError(
            try stack.codec("decode", JSONPayloads(reference).json),
            500,
            "the store failed, the worker's log says how",
            "decode"
        )
        #expect(stack.workerLog.contains("is damaged: its content has digest"))
    }

    @Test func `Nobody gets a payload of a namespace that is not theirs, nor stores one there`() throws {
        let stack = try Stack(nginx: {
            $0.replacingOccurrences(
                of: "LPS_CODEC_PREFIX /codec;\n    fastcgi_param LPS_ALLOWED_NAMESPACES $lps_namespaces;",
                with: "LPS_CODEC_PREFIX /codec;\n    fastcgi_param LPS_ALLOWED_NAMESPACES \"mine, ours\";"
            )
        })
        let payload = JSONPayload(randomPayload(Self.large))
        let body = try JSONPayloads([payload]).json
        func encode(_ namespace: String) throws -> HTTPAnswer {
            try stack.codec("encode", body, ["X-Namespace": namespace])
        }
        let message = "namespace 'theirs' is not allowed for this caller"
        expectError(try encode("theirs"), 403, message, "encode")
        let mine = try JSONPayloads(encode("mine")).payloads
        #expect(try JSONPayloads(stack.codec("decode", JSONPayloads(mine).json, [:])).payloads == [payload])
        #expect(try JSONPayloads(stack.codec("ours/decode", JSONPayloads(mine).json, [:])).payloads == [payload])
        // Stored for them through another door.
        let key = try Stack.key(stack.put(Array(payload.data), namespace: "theirs"))
        let digest = Stack.digest(Array(payload.data))
        var theirs = mine[0]
        theirs.data = Data(#"{"metadata":{},"size":\#(Self.large),"digest":"\#(digest)","key":"\#(key)"}"#.utf8)
        for (operation, headers) in [("decode", [:]), ("mine/decode", [:]), ("download", ["X-Namespace": "mine"])] {
            let answer = try stack.codec(operation, JSONPayloads([mine[0], theirs]).json, headers)
            expectError(answer, 403, "payload 1: \(message)", operation)
        }
        expectError(try stack.codec("theirs/decode", JSONPayloads(mine).json, [:]), 403, message, "the path's")
    }

    // MARK: What is shown of large payloads

    @Test func `Where the client can download, a payload over the display limit is shown as a storage reference`()
        throws
    {
        let stack = try Stack()
        let small = JSONPayload(randomPayload(1 << 20))
        let payloads = [small, JSONPayload(randomPayload((1 << 20) + 1))]
        let encoded = try encode(payloads, stack)
        let shown = try decode(encoded, stack, "decode?preserveStorageRefs=true")
        #expect(shown[0] == small)
        #expect(shown[1].metadata["encoding"] == Data("json/protobuf".utf8))
        #expect(shown[1].metadata["messageType"] == Data("temporal.api.sdk.v1.ExternalStorageReference".utf8))
        #expect(shown[1].externalPayloads == [JSONPayload.External(sizeBytes: "1048577")])
        let data = try #require(JSONSerialization.jsonObject(with: shown[1].data) as? [String: Any])
        let claim = try #require(data["claimData"] as? [String: String])
        #expect(data["driverName"] as? String == "large-payload-service")
        #expect(claim["size"] == "1048577")
        #expect(claim["digest"] == Stack.digest(Array(payloads[1].data)))
        #expect(claim["key"]?.hasPrefix("/blobs/default/common/sha256:") == true)
        // The page sends what stands in the history.
        #expect(try decode([encoded[1]], stack, "download?preserveStorageRefs=true") == [payloads[1]])
        #expect(try decode(encoded, stack, "decode?preserveStorageRefs=false") == payloads)
    }

    @Test func `A payload that would make the answer too long is shown as a placeholder, and a header says so`() throws
    {
        let stack = try Stack(options: ["--codec-answer-limit", "1m", "--codec-display-limit", "2m"])
        let payloads = [500_000, 400_000, 200_000].map { JSONPayload(randomPayload($0)) }
        let encoded = try encode(payloads, stack)
        let answer = try stack.codec("decode", JSONPayloads(encoded).json)
        #expect(answer.headers["x-lps-placeholders"] == "1")
        #expect(answer.body.count <= 1 << 20)
        let shown = try JSONPayloads(answer).payloads
        #expect(shown[0] == payloads[0])
        #expect(shown[2] == payloads[2])
        #expect(shown[1].metadata == ["encoding": Data("json/plain".utf8)])
        let data = try #require(JSONSerialization.jsonObject(with: shown[1].data) as? [String: Any])
        #expect(data["size"] as? Int == 400_000)
        #expect(data["digest"] as? String == Stack.digest(Array(payloads[1].data)))
        #expect((data["key"] as? String)?.hasPrefix("/blobs/default/common/") == true)
        let message = "a payload of 400000 bytes is not shown: the answer would have over 1048576 bytes"
        #expect(data["placeholder"] as? String == message)

        let preserved = try stack.codec("decode?preserveStorageRefs=TRUE", JSONPayloads(encoded).json)
        #expect(preserved.headers["x-lps-placeholders"] == nil)
        let references = try JSONPayloads(preserved).payloads
        #expect(references[1].externalPayloads == [JSONPayload.External(sizeBytes: "400000")])
        #expect([references[0], references[2]] == [payloads[0], payloads[2]])
        #expect(try decode([encoded[1]], stack, "download") == [payloads[1]])
    }

    // MARK: Protobuf's JSON mapping

    @Test func `Payloads pass through as they came, with fields that are not known here`() throws {
        let stack = try Stack()
        let payloads =
            #"[ {"data":"aGk", "later": [{"x":null}], "metadata" : {"a":"_-8"}},{},{"metadata":null,"data":null}]"#
        for operation in ["encode", "decode"] {
            let answer = try stack.codec(operation, Array(#"{"other":1,"payloads":\#(payloads)}"#.utf8))
            #expect(answer.status == 200)
            let unchanged = payloads.replacingOccurrences(of: "[ {", with: "[{")
            #expect(answer.text == #"{"payloads":\#(unchanged)}"#)
        }
        for none in ["{}", #"{"payloads":null}"#, #"{"payloads":[]}"#] {
            #expect(try stack.codec("decode", Array(none.utf8)).text == #"{"payloads":[]}"#)
        }
    }

    private func broken(_ text: String, every width: Int, with end: String) -> String {
        let bytes = Array(text.utf8)
        return stride(from: 0, to: bytes.count, by: width).map {
            String(decoding: bytes[$0..<min($0 + width, bytes.count)], as: UTF8.self) + end
        }.joined()
    }

    @Test func `A reference is read whose base64 has line breaks, and what is no reference passes as it came`() throws {
        let stack = try Stack(options: ["--codec-min-size", "1000"])
        let payload = JSONPayload(randomPayload(5000))
        let reference = try JSONPayloads(stack.codec("encode", JSONPayloads([payload]).json)).payloads[0]
        func base64(_ bytes: Data) -> String { broken(bytes.base64EncodedString(), every: 60, with: #"\n"#) }
        let members = reference.metadata.map { #""\#($0)":"\#(base64($1))""# }.joined(separator: ",")
        let small = #"{"metadata":{"encoding":"anNvbi9wbGFpbg==\n"},"data":"IkhlbGxvIg==\n"}"#
        let body = #"{"payloads":[\#(small),{"metadata":{\#(members)},"data":"\#(base64(reference.data))"}]}"#
        let answer = try stack.codec("decode", Array(body.utf8))
        #expect(answer.status == 200, "\(answer.text)")
        #expect(answer.text.hasPrefix(#"{"payloads":[\#(small),"#))
        let decoded = Data(answer.text.dropFirst(#"{"payloads":["#.count + small.count + 1).dropLast(2).utf8)
        #expect(try JSONDecoder().decode(JSONPayload.self, from: decoded) == payload)
    }

    @Test func `Both alphabets of base64 are read, with escapes, with and without padding`() throws {
        let stack = try Stack(options: ["--codec-min-size", "0"])
        // Every six bits occur, and two bytes are left at the end.
        let payload = (0..<65_537).map { UInt8(truncatingIfNeeded: $0 &* 167) }
        let standard = Data(payload).base64EncodedString()
        let urlSafe = standard.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
        let texts = [
            standard, urlSafe, standard.replacingOccurrences(of: "=", with: ""),
            standard.replacingOccurrences(of: "/", with: "\\/").replacingOccurrences(of: "=", with: "\\u003d"),
            // As MIME's encoders of Ruby and Python, and of Java, break lines.
            broken(standard, every: 60, with: "\\n"), broken(standard, every: 76, with: "\\r\\n"),
        ]
        var keys: Set<String> = []
        for text in texts {
            let encoding = text.contains("\\n") ? #"YmluYXJ5L3BsYWlu\n"# : "YmluYXJ5L3BsYWlu"
            let body = #"{"payloads":[{"data":"\#(text)","metadata":{"encoding":"\#(encoding)"}}]}"#
            let encoded = try JSONPayloads(stack.codec("encode", Array(body.utf8))).payloads
            keys.insert(String(decoding: encoded[0].data, as: UTF8.self))
            #expect(try decode(encoded, stack) == [JSONPayload(payload)])
        }
        #expect(keys.count == 1)
    }

    @Test func `Metadata names that are equal in Unicode but not in bytes stay two names`() throws {
        let stack = try Stack(options: ["--codec-min-size", "0"])
        let body = #"{"payloads":[{"metadata":{"\u00e9":"MQ==","e\u0301":"Mg=="},"data":"aGk="}]}"#
        let encoded = try stack.codec("encode", Array(body.utf8))
        let decoded = try stack.codec("decode", encoded.body)
        let expected = "{\"payloads\":[{\"metadata\":{\"e\u{301}\":\"Mg==\",\"\u{E9}\":\"MQ==\"},\"data\":\"aGk=\"}]}"
        #expect(decoded.body == Array(expected.utf8))
    }

    @Test func `What was encoded can be decoded, or is refused before it is stored`() throws {
        let stack = try Stack()
        // Each "<" takes six characters in the reference.
        func payload(_ names: Int) -> JSONPayload {
            let pairs = (0..<names).map { ("\($0)" + String(repeating: "<", count: 1000), "") }
            return JSONPayload(randomPayload(Self.large), metadata: Dictionary(uniqueKeysWithValues: pairs))
        }
        let much = payload(150)
        #expect(try decode(encode([much], stack), stack) == [much])
        expectError(
            try stack.codec("encode", JSONPayloads([JSONPayload([1]), payload(200)]).json),
            400,
            "payload 1: the answer's references would have over 1048576 bytes",
            "a reference that is too long"
        )
        #expect(stack.keys.count == 1)
    }

    @Test func `A download has one payload of any size, or several within the answer's limit`() throws {
        let stack = try Stack(options: ["--codec-answer-limit", "1m"])
        let payloads = [1_000_000, 200_000, 200_000].map { JSONPayload(randomPayload($0)) }
        let encoded = try encode(payloads, stack)
        #expect(try decode([encoded[0]], stack, "download") == [payloads[0]])
        #expect(try decode([encoded[1], encoded[2]], stack, "download") == [payloads[1], payloads[2]])
        expectError(
            try stack.codec("download", JSONPayloads([encoded[1], encoded[0]]).json),
            400,
            "payload 1: the answer would have over 1048576 bytes, download fewer at once",
            "both"
        )
    }

    @Test func `No request fails when its worker is killed`() throws {
        let stack = try Stack(workers: 1)
        let body = try JSONPayloads([JSONPayload(randomPayload(20 << 20))]).json
        var wasBusy = false
        // Until the worker that is killed was the one that had the request.
        for round in UInt32(0)..<40 where !wasBusy {
            let worker = stack.workers[0]
            try stack.startWorkers(1)
            try concurrently(2) { index in
                guard index == 0 else {
                    usleep(.random(in: 20_000...150_000 + round * 25_000))
                    stack.stop(worker, SIGKILL)
                    return
                }
                let status = try stack.codec("encode", body).status
                #expect(status == 200)
            }
            let error = (try? String(contentsOfFile: stack.folder.file("nginx-error.log"), encoding: .utf8)) ?? ""
            wasBusy = error.contains("upstream prematurely closed connection")
        }
        #expect(wasBusy, "a worker was killed while it had a request")
    }

    // MARK: Limits

    @Test func `What may take memory is limited, and the limit is named`() throws {
        let stack = try Stack()
        let many = Array(#"{"payloads":[\#(Array(repeating: "{}", count: 1025).joined(separator: ","))]}"#.utf8)
        expectError(
            try stack.codec("decode", many),
            400,
            "body is not a JSON object of payloads: over 1024 payloads at byte 3085",
            "payloads"
        )
        let name = String(repeating: "n", count: (1 << 20) + 1)
        expectError(
            try stack.codec("decode", Array(#"{"payloads":[{"\#(name)":1}]}"#.utf8)),
            400,
            "payload 0: string has over 1048576 bytes at byte 14",
            "a long name"
        )
        let half = String(repeating: "QUFB", count: 200_000)
        let metadata = #"{"metadata":{"a":"\#(half)"}}"#
        #expect(try stack.codec("decode", Array(#"{"payloads":[\#(metadata)]}"#.utf8)).status == 200)
        let twice = try stack.codec("decode", Array(#"{"payloads":[\#(metadata),\#(metadata)]}"#.utf8))
        expectError(twice, 400, "payload 1: metadata of all payloads has over 1048576 bytes", "much metadata")
        let entries = (0..<5000).map { #""\#($0)":"""# }.joined(separator: ",")
        let names = try stack.codec("decode", Array(#"{"payloads":[{"metadata":{\#(entries)}}]}"#.utf8))
        expectError(names, 400, "payload 0: metadata of all payloads has over 1048576 bytes", "many names")
        let reference = #"{"metadata":{"temporal.io/remote-codec":"djI="},"data":"\#(half + half)"}"#
        expectError(
            try stack.codec("decode", Array(#"{"payloads":[\#(reference)]}"#.utf8)),
            400,
            "references have 1200000 bytes, at most 1048576 are allowed",
            "a long reference"
        )
        let version = #"{"metadata":{"temporal.io/remote-codec":"\#(String(repeating: "eHh4", count: 10_000))"}}"#
        let unknown = try stack.codec("decode", Array(#"{"payloads":[\#(version)]}"#.utf8))
        expectError(unknown, 400, nil, "a long version")
        #expect(unknown.body.count < 1100)
        let deep = String(repeating: "[", count: 100_000)
        expectError(try stack.codec("decode", Array(#"{"deep":\#(deep)}"#.utf8)), 400, nil, "nesting")
    }

    @Test func `A body over nginx's limit is refused before it is read`() throws {
        let stack = try Stack()
        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send("POST", "/codec/decode", ["Origin": "https://temporal.example.com"], length: (64 << 20) + 1)
        let answer = try connection.receive()
        expectError(answer, 413, "body exceeds max size of 67108864 bytes", "by nginx")
        #expect(answer.headers["access-control-allow-origin"] == "https://temporal.example.com")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A body over the worker's limit is refused`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--max-payload", "1m"])
        let body = try JSONPayloads([JSONPayload(randomPayload(1 << 20))]).json
        expectError(try stack.codec("encode", body), 413, "body exceeds max size of 1048576 bytes", "by a worker")
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Mode.allCases)
    func `No worker's memory passes 32 MiB while bodies and answers of 60 MiB go through`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 1)
        let payload = JSONPayload(randomPayload(45 << 20))
        let body = try JSONPayloads([payload]).json
        let base64 = Array(payload.data.base64EncodedData())
        let digest = Stack.digest(base64)
        try concurrently(6) { _ in
            let encoded = try stack.codec("encode", body)
            let decoded = try stack.codec("decode", encoded.body)
            #expect(Stack.digest(decoded.body.dropLast(4).suffix(base64.count)) == digest)
        }
        // As many metadata entries as a request may have, from as many clients as there are threads.
        let entries = (0..<4000).map { #""\#($0)":"""# }.joined(separator: ",")
        let names = Array(#"{"payloads":[{"metadata":{\#(entries)}}]}"#.utf8)
        try concurrently(16) { _ in
            let status = try stack.codec("encode", names).status
            #expect(status == 200)
        }
        let peak = try #require(stack.workers.first?.status("VmHWM"))
        #expect(peak < 32 << 10, "peak resident memory of the worker in KiB")
    }

    @Test func `No space means 507, and the store is left clean`() throws {
        let stack = try Stack(options: ["--reserve", "4000000000g"], health: 503)
        #expect(try stack.codec("encode", JSONPayloads([JSONPayload(Array("small".utf8))]).json).status == 200)
        expectError(
            try stack.codec("encode", JSONPayloads([JSONPayload(randomPayload(Self.large))]).json),
            507,
            nil,
            "a payload to store"
        )
        try stack.expectNothingIncoming()
        #expect(stack.tree.isEmpty)
    }

    // MARK: Pages of other origins (CORS)

    @Test func `A page of an allowed origin may ask, and only such a page`() throws {
        let stack = try Stack()
        let allowed = "https://temporal.example.com"
        func ask(_ method: String, _ origin: String?) throws -> HTTPAnswer {
            let headers = ["Content-Type": "application/json"].merging(origin.map { ["Origin": $0] } ?? [:]) { $1 }
            let body = Array(#"{"payloads":[]}"#.utf8)
            return try stack.request(method, "/codec/default/decode", headers, body: method == "POST" ? body : nil)
        }
        let preflight = try ask("OPTIONS", allowed)
        #expect(preflight.status == 204)
        for answer in [preflight, try ask("POST", allowed), try ask("GET", allowed)] {
            #expect(answer.headers["access-control-allow-origin"] == allowed)
            #expect(answer.headers["access-control-allow-credentials"] == "true")
            #expect(answer.headers["access-control-allow-methods"] == "POST, GET, OPTIONS")
            #expect(
                answer.headers["access-control-allow-headers"]
                    == "X-Namespace, Content-Type, Authorization, Authorization-Extras"
            )
            #expect(answer.headers["vary"] == "Origin")
        }
        for origin in [
            "https://evil.example.com", "http://temporal.example.com", "https://temporal.example.com.evil.org",
            "https://temporal.example.com:8443", "null", "https://TEMPORAL.example.org", ">",
        ] {
            for method in ["OPTIONS", "POST"] {
                let answer = try ask(method, origin)
                #expect(answer.status == 403, "\(origin)")
                #expect(answer.headers["access-control-allow-origin"] == nil)
                #expect(answer.headers["access-control-allow-credentials"] == nil)
            }
        }
        let command = try ask("POST", nil)
        #expect(command.status == 200)
        #expect(command.headers["access-control-allow-origin"] == nil)
        #expect(command.headers["access-control-allow-credentials"] == nil)
    }

    @Test
    func `A public page of an allowed origin may ask a server with a private address, where the browser asks for it`()
        throws
    {
        let stack = try Stack()
        let field = "access-control-allow-private-network"
        let asked = "Access-Control-Request-Private-Network"
        func preflight(_ origin: String, _ more: [String: String]) throws -> HTTPAnswer {
            let headers = ["Origin": origin, "Access-Control-Request-Method": "POST"].merging(more) { $1 }
            return try stack.request("OPTIONS", "/codec/default/decode", headers)
        }
        let allowed = try preflight("https://temporal.example.com", [asked: "true"])
        #expect(allowed.status == 204 && allowed.headers[field] == "true")
        for more in [[:], [asked: "false"], [asked: ""]] {
            #expect(try preflight("https://temporal.example.com", more).headers[field] == nil, "it was not asked for")
        }
        let foreign = try preflight("https://evil.example.com", [asked: "true"])
        #expect(foreign.status == 403 && foreign.headers[field] == nil)
        #expect(try stack.request("OPTIONS", "/codec/default/decode", [asked: "true"]).headers[field] == nil, "no page")
    }

    @Test func `A page sees the status of an error of nginx, too`() throws {
        let stack = try Stack()
        for worker in stack.workers { stack.stop(worker) }
        try FileManager.default.removeItem(atPath: stack.workerSocket)
        let headers = ["Origin": "https://temporal.example.com"]
        let answer = try stack.codec("decode", Array(#"{"payloads":[]}"#.utf8), headers)
        expectError(answer, 503, "no worker of the large payload service answers", "decode")
        #expect(answer.headers["access-control-allow-origin"] == "https://temporal.example.com")
    }

    @Test func `auth_request decides who may ask, and for which namespaces`() throws {
        let service = try TemporaryFolder()
        let stack = try Stack(nginx: { text in
            // Of codec.conf only: uploads and downloads need no token here.
            guard !text.contains("in location ^~ /v2/.") else { return text }
            // Another server of nginx is the service that is asked.
            return text.replacingOccurrences(of: "# auth_request", with: "auth_request")
                .replacingOccurrences(
                    of: "include lps/codec.conf;",
                    with: """
                        include lps/codec.conf;
                        location = /lps-auth {
                            include lps/auth.conf;
                            proxy_pass http://unix:\(service.file("auth.sock")):/;
                        }
                        """
                )
                .replacingOccurrences(
                    of: "include lps/site.conf;",
                    with: """
                        include lps/site.conf;
                        server {
                            listen unix:\(service.file("auth.sock"));
                            if ($http_authorization = "") { return 401; }
                            if ($http_authorization = "Bearer nobody") { return 403; }
                            if ($http_authorization = "Bearer broken") { return 502; }
                            add_header X-Allowed-Namespaces mine;
                            location / { return 204; }
                        }
                        """
                )
        })
        let body = Array(#"{"payloads":[]}"#.utf8)
        func ask(_ path: String, _ authorization: String?) throws -> HTTPAnswer {
            let headers = authorization.map { ["Authorization": $0] } ?? [:]
            return try stack.codec(path, body, headers.merging(["Origin": "https://temporal.example.com"]) { $1 })
        }
        expectError(try ask("mine/decode", nil), 401, "authentication is required", "nobody")
        let forbidden = try ask("mine/decode", "Bearer nobody")
        expectError(forbidden, 403, "not allowed", "somebody else")
        #expect(forbidden.headers["access-control-allow-origin"] == "https://temporal.example.com")
        let broken = try ask("mine/decode", "Bearer broken")
        expectError(broken, 503, "the authentication service does not answer", "a service that fails")
        #expect(broken.headers["access-control-allow-origin"] == "https://temporal.example.com")
        #expect(try ask("mine/decode", "Bearer somebody").status == 200)
        // Above what nginx lets pass where nothing else is said: 1 MiB.
        let data = String(repeating: "YWJj", count: 750_000)
        let large = Array(#"{"payloads":[{"metadata":{},"data":"\#(data)"}]}"#.utf8)
        #expect(try stack.codec("mine/decode", large, ["Authorization": "Bearer somebody"]).status == 200)
        let theirs = try ask("theirs/decode", "Bearer somebody")
        expectError(theirs, 403, "namespace 'theirs' is not allowed for this caller", "another's namespace")
        let preflight = try stack.request("OPTIONS", "/codec/decode", ["Origin": "https://temporal.example.com"])
        #expect(preflight.status == 204, "a browser asks without credentials")
    }
}
