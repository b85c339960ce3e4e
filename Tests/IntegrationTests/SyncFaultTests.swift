import DiskStore
import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

/// What the disk has failed to keep or to give once: what the kernel forgets of a failed sync, what a read error that goes
/// away means, and a close that fails when it is done.
@Suite(.serialized, .runLimit) struct SyncFaultTests {
    private func inode(_ path: String) throws -> ino_t {
        var status = stat()
        try #require(stat(path, &status) == 0, "\(path)")
        return status.st_ino
    }

    private func object(_ payload: [UInt8], _ stack: Stack) -> String {
        let hex = Stack.digest(payload).dropFirst(7)
        return "\(stack.store)/objects/\(hex.prefix(2))/\(hex)"
    }

    private let syncFails = Fault(call: "fdatasync", errno: "EIO", occurrence: 1)

    @Test func `A file whose sync has failed is never what is stored, also when nginx hands it over again`() throws {
        let stack = try Stack()
        let payload = randomPayload(70_000)
        let file = "\(stack.store)/incoming/0000000001"
        try write(payload, to: file)
        let target = Stack.putTarget(namespace: "a", digest: Stack.digest(payload)).split(separator: "?")
        let parameters = [
            "REQUEST_METHOD": "PUT", "SCRIPT_NAME": String(target[0]), "QUERY_STRING": String(target[1]),
            "CONTENT_TYPE": "application/octet-stream", "CONTENT_LENGTH": "\(payload.count)",
            "HTTP_X_TEMPORAL_METADATA": "e30=", "REQUEST_BODY_FILE": file,
        ]
        let victim = try Victim(stack)
        let tracer = Tracer(stack.folder, syncFails)
        let refused = try tracer.attached(to: victim.process) { try victim.request(parameters) }
        #expect(refused.status == 500 && tracer.take().contains("INJECTED"))
        #expect(try stack.get(Stack.key(of: payload, "a"), length: payload.count).status == 404)
        // As after the death of the first worker. To the kernel the file is clean: its sync would succeed, and mean nothing.
        let next = try Victim(stack)
        let witness = Tracer(stack.folder, nil)
        let answer = try witness.attached(to: next.process) { try next.request(parameters) }
        #expect(answer.status == 201, "\(answer)")
        #expect(try inode(object(payload, stack)) != inode(file))
        let synced = witness.take().split(separator: "\n").filter { $0.contains("fdatasync(") }
        #expect(synced.count == 1 && !synced[0].contains("/0000000001>"), "\(synced)")
        let isWhole = try stack.get(Stack.key(of: payload, "a"), length: payload.count).body == payload
        #expect(isWhole)
        // It was right in its first life: what is wrong with it now, the disk has done.
        try write(randomPayload(payload.count), to: file + "2")
        chmod(file + "2", 0o440)
        let wrong = try next.request(parameters.merging(["REQUEST_BODY_FILE": file + "2"]) { $1 })
        #expect(wrong.status == 500 && next.process.log.contains("has lost what the disk could not write"))
        unlink(file)
        unlink(file + "2")
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A client's retry of an upload whose sync has failed is a new file`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--threads", "1"])
        let payload = randomPayload(70_000)
        let tracer = Tracer(stack.folder, syncFails)
        let refused = try tracer.attached(to: stack.workers[0]) { try stack.put(payload) }
        #expect(refused.status == 500)
        #expect(stack.tree.isEmpty)
        let failed = try #require(tracer.take().split(separator: "\n").first { $0.contains("fdatasync(") })
        let witness = Tracer(stack.folder, nil)
        let answer = try witness.attached(to: stack.workers[0]) { try stack.put(payload) }
        #expect(answer.status == 201)
        let synced = witness.take().split(separator: "\n").filter { $0.contains("fdatasync(") }
        #expect(synced.count == 1)
        func file(_ line: Substring) -> Substring? { line.split(separator: "<").last?.prefix { $0 != ">" } }
        let second = try #require(synced.first)
        #expect(file(failed) != file(second))
        try stack.expectNothingIncoming()
    }

    @Test func `A renewal whose sync has failed is made again, not only synced again`() throws {
        // What the kernel could not write it counts as clean: a second sync alone would write nothing.
        let stack = try Stack()
        let payload = randomPayload(5000)
        let victim = try Victim(stack)
        #expect(try victim.put(payload, "a").status == 201)
        let before = Tracer(stack.folder, nil)
        #expect(try before.attached(to: victim.process) { try victim.put(payload, "a") }.status == 200)
        let synced = TracedCall.parse(before.take()).first { $0.name == "fsync" && $0.line.contains("/keys/") }
        let ofKey = try #require(synced).occurrence
        let tracer = Tracer(stack.folder, Fault(call: "fsync", errno: "EIO", occurrence: ofKey))
        #expect(try tracer.attached(to: victim.process) { try victim.put(payload, "a") }.status == 500)
        let witness = Tracer(stack.folder, nil)
        #expect(try witness.attached(to: victim.process) { try victim.put(payload, "a") }.status == 200)
        let calls = TracedCall.parse(witness.take()).filter { $0.line.contains("/keys/") }
        let renewal = try #require(calls.firstIndex { $0.name == "utimensat" })
        let sync = try #require(calls.firstIndex { $0.name == "fsync" })
        #expect(renewal < sync)
    }

    @Test func `A read error that goes away costs no payload, one that stays sends it to quarantine`() throws {
        let local = try LocalStore()
        let content = randomPayload(3000)
        let key = try local.put(content, "a")
        // Leaves the record that later ones read.
        #expect(try local.lps(["scrub"]).status == 0)
        let all = Tracer(local.folder, nil)
        try local.start(["scrub"], by: all.command).wait()
        let reads = TracedCall.onStore(all.take(), local.path).filter {
            $0.name == "pread64" && $0.line.contains("/objects/")
        }
        let first = try #require(reads.first?.occurrence)
        let once = Tracer(local.folder, Fault(call: "pread64", errno: "EIO", occurrence: first))
        let passed = try local.start(["scrub"], by: once.command)
        #expect(passed.wait() == 0, "\(passed.log)")
        #expect(once.take().contains("INJECTED"))
        #expect(passed.log.contains("right at the second one") && passed.log.contains("Input/output error"))
        #expect(try local.get(key) == content)
        // From that one on.
        let ever = Tracer(local.folder, trace: "pread64", inject: "pread64:error=EIO:when=\(first)+")
        #expect(try local.start(["scrub"], by: ever.command).wait() == 1)
        #expect(try local.get(key) == nil)
        #expect(files(below: "\(local.path)/quarantine").count == 1)
        #expect(try local.store.find(key) != nil, "its key stays, for an upload to revive")
    }

    @Test func `A bit that memory has flipped costs no payload`() throws {
        let local = try LocalStore()
        let content = randomPayload(3000)
        let key = try local.put(content, "a")
        #expect(try local.lps(["scrub"]).status == 0)
        var seen = 0
        // One of a scrub's reads is that of the payload; those before are of the store's own small files.
        for read in 1...8 {
            let count = local.folder.file("count-\(read)")
            let environment = try Preload.environment(["FLIP": "\(read)"], count: count)
            let scrub = try local.start(["scrub"], environment: environment)
            let status = scrub.wait()
            #expect(try local.get(key) == content)
            if scrub.log.contains("right at the second one") {
                seen += 1
                #expect(status == 0, "\(scrub.log)")
            }
        }
        #expect(seen == 1)
        try local.expectSound()
    }

    @Test func `A close that fails when it is done changes nothing that is stored or read`() throws {
        let stack = try Stack(.plain)
        let count = stack.folder.file("count")
        let environment = try Preload.environment(["CLOSE": "\(EIO)"], count: count)
        let victim = try Victim(stack, environment: environment)
        let payload = randomPayload(5000).map { $0 & 0x3F + 0x20 }
        #expect(try victim.put(payload, "a").status == 201)
        #expect(try victim.put(payload, "a").status == 200)
        let isWhole = try victim.get(payload, "a").body == String(decoding: payload, as: UTF8.self)
        #expect(isWhole)
        #expect(Preload.count(count) >= 5)
        let local = try LocalStore()
        let file = local.folder.file("file")
        try write(payload, to: file)
        let key = try LocalStore.key(payload, "a")
        for command in [["put", file, "--namespace", "a"], ["scrub"], ["quota", "--recount"]] {
            // What it has printed is a file, too: whether that has arrived, only its close would have told.
            let child = try local.start(command, environment: environment)
            #expect(child.wait() == 1 && child.log.contains("lps: write to standard output: "), "\(child.log)")
            #expect(child.log.split(separator: "\n").filter { $0.contains("rror") }.count == 1, "\(child.log)")
            #expect(try local.get(key) == payload, "\(command)")
        }
    }

    @Test(arguments: [["ls"], ["put", "file", "--namespace", "a"], ["stat", "key"], ["du"], ["quota"]])
    func `A result that can't be written is no success`(command: [String]) throws {
        let local = try LocalStore()
        let file = local.folder.file("file")
        try write([1], to: file)
        let key = try local.put([1], "a")
        let arguments = command.map { $0 == "file" ? file : $0 == "key" ? "\(key)" : $0 }
        let toFull = ["/bin/sh", "-c", "exec \"$@\" > /dev/full", "sh"]
        let child = try local.start(arguments, by: toFull)
        #expect(child.wait() == 1)
        #expect(child.log.contains("lps: write to standard output"), "\(child.log)")
    }
}
