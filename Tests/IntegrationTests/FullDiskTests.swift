import Foundation
import TestSupport
import Testing

/// A service whose store is on a full disk refuses uploads with 507, and serves all other requests.
@Suite(.serialized, .runLimit, .enabled(if: geteuid() == 0, "only root can mount"))
struct FullDiskTests {
    private static let mebibyte = 1 << 20
    private static let reserve = 4 << 20

    private func stack(_ mode: Stack.Mode, _ disk: SmallDisk) throws -> Stack {
        try Stack(mode, options: ["--reserve", "\(Self.reserve)"], disk: disk)
    }

    /// Expects 507 with a text about the store's space.
    private func expectFull(_ answer: HTTPAnswer, _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        expectError(answer, 507, nil, what, sourceLocation: sourceLocation)
        let isTold = answer.text.hasPrefix("store had ") || answer.text.hasSuffix(": No space left on device")
        #expect(
            isTold || answer.text.hasPrefix("store has "),
            "\(what): \(answer.text)",
            sourceLocation: sourceLocation
        )
        #expect(answer.headers["x-request-id"] != nil, "\(what)", sourceLocation: sourceLocation)
    }

    /// A deleted file's space is free only when nginx closes the file.
    private func expectReserve(_ disk: SmallDisk) throws {
        try eventually("the reserve is free: \(disk.free)") { disk.free > Self.reserve }
    }

    private func expectWhole(
        _ payloads: [String: [UInt8]],
        _ stack: Stack,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for (key, payload) in payloads {
            let isWhole = try stack.get(key, length: payload.count).body == payload
            #expect(isWhole, "\(key)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: Stack.Mode.allCases, SmallDisk.Kind.allCases)
    func `Uploads that would use the reserve get 507, downloads succeed, and freed space admits uploads again`(
        mode: Stack.Mode,
        kind: SmallDisk.Kind
    ) throws {
        let disk = try SmallDisk(kind, mebibytes: 32)
        let stack = try stack(mode, disk)
        var stored: [String: [UInt8]] = [:]
        var refused: HTTPAnswer?
        while refused == nil {
            let payload = randomPayload(3 * Self.mebibyte)
            let answer = try stack.put(payload)
            if answer.status == 201 { stored[try Stack.key(answer)] = payload } else { refused = answer }
            try #require(stored.count < 12)
        }
        expectFull(try #require(refused), "the first upload that would use the reserve")
        try stack.expectNothingIncoming()
        try expectReserve(disk)
        #expect(stored.count >= 6)
        #expect(try stack.request("HEAD", "/v2/health/head").status == 200, "smaller uploads have room")

        // Other programs fill the disk, too: part of the reserve, and all of it.
        let large = randomPayload(3 * Self.mebibyte)
        for left in [2 * Self.mebibyte, 0] {
            try disk.fill(leaving: left)
            #expect(try stack.request("HEAD", "/v2/health/head").status == 503)
            expectFull(try stack.put(randomPayload(1000)), "a small upload, \(left) bytes left")
            // nginx itself fails to write this upload.
            expectFull(try stack.put(large), "a large upload, \(left) bytes left")
            try expectWhole(stored, stack)
            #expect(try stack.request("GET", "/lps/ping").status == 200)
            try stack.expectNothingIncoming()
        }
        if mode == .handover {
            let log = try String(contentsOfFile: stack.folder.file("nginx-error.log"), encoding: .utf8)
            #expect(log.contains("No space left on device"), "nginx could not write")
        }

        // An operator deletes keys while there is no room even for a folder.
        for key in stored.keys.prefix(3) {
            #expect(try stack.lps("rm", key).status == 0)
            stored[key] = nil
        }
        #expect(disk.free > Self.reserve + large.count)
        #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
        stored[try stack.store(large)] = large
        try disk.empty()
        for _ in 0..<2 {
            let payload = randomPayload(3 * Self.mebibyte)
            stored[try stack.store(payload)] = payload
        }
        try expectWhole(stored, stack)
        try stack.expectNothingIncoming()
        #expect(stack.workers.count == 1, "no worker was restarted")
        #expect(try stack.lps("scrub").status == 0)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Concurrent uploads that do not fit together succeed or get 507, and the reserve remains`(
        mode: Stack.Mode
    ) throws {
        let disk = try SmallDisk(.tmpfs, mebibytes: 24)
        let stack = try stack(mode, disk)
        let clients = 12
        let payloads = (0..<clients).map { _ in randomPayload(3 * Self.mebibyte) }
        let begun = Counter()
        let done = Counter()
        let taken = Taken()
        try concurrently(clients + 1) { index in
            guard index < clients else {
                // One client downloads all the time.
                let small = randomPayload(1000)
                let key = try Stack.key(stack.put(small))
                while done.value < clients {
                    let isWhole = try stack.get(key, length: small.count).body == small
                    #expect(isWhole)
                }
                return
            }
            defer { done.add() }
            let payload = payloads[index]
            let connection = try HTTPConnection(stack.httpSocket)
            let target = Stack.putTarget(namespace: "default", digest: Stack.digest(payload))
            try connection.send("PUT", target, Stack.putHeaders(), length: payload.count)
            try connection.send(Array(payload.prefix(payload.count / 3)))
            begun.add()
            // The first upload continues only after all have started, when there was room for each.
            try eventually("all uploads have started") { begun.value >= clients }
            try connection.send(Array(payload.dropFirst(payload.count / 3)))
            let answer = try connection.receive()
            if answer.status == 201 {
                taken.add(try Stack.key(answer), payload)
            } else {
                expectFull(answer, "upload \(index)")
            }
        }
        #expect(taken.payloads.count < clients)
        try stack.expectNothingIncoming()
        try expectReserve(disk)
        try expectWhole(taken.payloads, stack)
        for key in taken.payloads.keys { #expect(try stack.lps("rm", key).status == 0) }
        // One at a time there is room for six.
        let again = try payloads.map { try stack.put($0).status }
        #expect(again == Array(repeating: 201, count: 6) + Array(repeating: 507, count: clients - 6))
        try expectReserve(disk)
    }

    @Test(arguments: Stack.Mode.allCases, SmallDisk.Kind.allCases)
    func `A disk without free inodes is full, too`(mode: Stack.Mode, kind: SmallDisk.Kind) throws {
        let disk = try SmallDisk(kind, mebibytes: 32, inodes: 600)
        let stack = try stack(mode, disk)
        let payload = randomPayload(100_000)
        let key = try stack.store(payload)
        try stack.makeOld(key, seconds: 3 * 86_400)
        try disk.useAllInodes()
        #expect(disk.free > 2 * Self.reserve, "the disk has free bytes")
        #expect(try stack.request("HEAD", "/v2/health/head").status == 503)
        for size in [1000, Self.mebibyte] { expectFull(try stack.put(randomPayload(size)), "\(size) bytes") }
        try expectWhole([key: payload], stack)
        try stack.expectNothingIncoming()
        // Moving keys to the trash needs folders; deleting them does not.
        let kept = try stack.lps("gc", "--older-than", "2d", "--keep-trash", "1d")
        #expect(kept.status == 1 && kept.output.contains("No space left on device"), "\(kept)")
        try expectWhole([key: payload], stack)
        #expect(try stack.lps("gc", "--older-than", "2d").status == 0)
        #expect(try stack.get(key, length: payload.count).status == 404)
        #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
        try disk.empty()
        #expect(try stack.put(payload).status == 201)
        try expectWhole([key: payload], stack)
    }

    @Test func `A full disk is 507 over HTTP/2 and from the codec server, too`() throws {
        let disk = try SmallDisk(.tmpfs, mebibytes: 16)
        let stack = try stack(.handover, disk)
        try disk.fill(leaving: Self.mebibyte)
        let payload = randomPayload(4 * Self.mebibyte)
        let file = stack.folder.file("payload")
        try write(payload, to: file)
        let target = "https://localhost" + Stack.putTarget(namespace: "default", digest: Stack.digest(payload))
        let curl = try run(
            "curl",
            [
                "-sSk", "--http2", "--unix-socket", stack.tlsSocket, "-w", "\n%{http_version} %{http_code}", "-T", file,
                "-H", "Content-Type: application/octet-stream", "-H", "X-Temporal-Metadata: e30=", target,
            ]
        )
        #expect(curl.status == 0)
        #expect(curl.output.hasPrefix("store has ") && curl.output.hasSuffix("\n2 507"), "\(curl.output)")

        let origin = "https://temporal.example.com"
        let body = try JSONPayloads([JSONPayload(payload)]).json
        let answer = try stack.codec("encode", body, ["X-Namespace": "default", "Origin": origin])
        expectFull(answer, "a body that nginx could not write")
        #expect(answer.headers["access-control-allow-origin"] == origin, "a page can read it")
        expectFull(try stack.codec("encode", JSONPayloads([JSONPayload(randomPayload(200_000))]).json), "a small body")
        let counted = try stack.request("GET", "/lps/status?openmetrics").text
        #expect(counted.contains("lps_requests_total{endpoint=\"put\",status=\"507\"} 1"))
        #expect(counted.contains("lps_requests_total{endpoint=\"encode\",status=\"507\"} 2"))
        try stack.expectNothingIncoming()
    }

    /// Other errors of nginx, on a disk with room and on a full one.
    @Test func `nginx does not report its other errors as a full disk`() throws {
        let disk = try SmallDisk(.ext4, mebibytes: 32)
        let stack = try Stack(options: ["--reserve", "\(Self.reserve)"], disk: disk) { text in
            text.replacingOccurrences(of: "fastcgi_read_timeout 10s;", with: "fastcgi_read_timeout 1s;")
        }
        let failed = "the web server failed, its error log says how"
        // The parameters exceed one FastCGI record.
        let metadata = ["X-Temporal-Metadata": String(repeating: "A", count: 60_000)]
        let query = "&x=" + String(repeating: "y", count: 8_000)
        let target = Stack.putTarget(namespace: "default", digest: helloWorldDigest)
        let headers = Stack.putHeaders().merging(metadata) { $1 }
        expectError(try stack.request("PUT", target + query, headers, body: helloWorld), 500, failed, "parameters")

        #expect(rename("\(stack.store)/incoming", "\(stack.store)/moved") == 0)
        let missing = try stack.put(randomPayload(Self.mebibyte))
        expectError(missing, 500, nil, "no folder")
        #expect(rename("\(stack.store)/moved", "\(stack.store)/incoming") == 0)

        let key = try stack.store(helloWorld)
        // The remount fails while nginx has a file open for writing.
        try eventually("the disk is read-only") { (try? disk.remount("ro")) != nil }
        expectError(try stack.put(randomPayload(1000)), 500, nil, "read-only")
        #expect(try stack.get(key, length: helloWorld.count).body == helloWorld)
        try disk.remount("rw")
        #expect(try stack.put(randomPayload(1000)).status == 201)

        stack.stop(stack.workers[0])
        try disk.fill(leaving: 0)
        expectError(try stack.put(randomPayload(Self.mebibyte)), 500, failed, "no worker")
    }

    @Test func `A client whose request is not authorized learns nothing about the disk`() throws {
        let disk = try SmallDisk(.tmpfs, mebibytes: 16)
        let stack = try Stack(options: ["--reserve", "\(Self.reserve)"], health: 500, disk: disk) { text in
            text.replacingOccurrences(
                of: "location ^~ /v2/ {",
                with: """
                    location = /broken-auth { internal; proxy_pass http://unix:/nonexistent/auth.sock:/; }
                    location ^~ /v2/ {
                        auth_request /broken-auth;
                    """
            )
        }
        try disk.fill(leaving: 0)
        let failed = "the web server failed, its error log says how"
        expectError(try stack.put(randomPayload(Self.mebibyte)), 500, failed, "an upload")
        let get = Stack.getTarget("/blobs/default/common/\(helloWorldDigest)/\(Stack.digest([]))")
        expectError(try stack.request("GET", get, Stack.getHeaders(length: 11)), 500, failed, "a download")
        // Clients can't reach the internal location.
        for path in ["/lps/unwritten/v2/blobs/put", "/v2/../lps/unwritten/v2/blobs/put"] {
            #expect(try stack.request("PUT", path, Stack.putHeaders(), body: []).status == 404)
        }
    }
}
