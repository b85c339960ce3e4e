import DiskStore
import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

/// Faults of the disk as clients and operators see them, of real processes. That they lose nothing, at whatever call they come,
/// the simulation shows.
@Suite(.serialized, .runLimit) struct DiskFaultTests {
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

    @Test(
        arguments: Stack.Mode.allCases,
        [
            (Fault(call: "fdatasync", errno: "EIO", occurrence: 1), 500, "Input/output error"),
            (Fault(call: "fsync", errno: "EIO", occurrence: 1), 500, "Input/output error"),
            (Fault(call: "fdatasync", errno: "ENOSPC", occurrence: 1), 507, "No space left on device"),
            (Fault(call: "mkdirat", errno: "EDQUOT", occurrence: 1), 507, "Disk quota exceeded"),
        ]
    )
    func `An upload that the disk fails is an error in one line, the log says why, and a retry is taken`(
        mode: Stack.Mode,
        expected: (fault: Fault, status: Int, reason: String)
    ) throws {
        let stack = try Stack(mode, options: ["--threads", "1"])
        let payload = randomPayload(5000)
        let tracer = Tracer(stack.folder, expected.fault)
        let answer = try tracer.attached(to: stack.workers[0]) { try stack.put(payload) }
        #expect(tracer.take().contains("INJECTED"))
        #expect(answer.status == expected.status)
        #expect(answer.text.split(separator: "\n").count == 1 && !answer.text.contains(stack.store), "\(answer.text)")
        #expect(stack.workerLog.contains(expected.reason))
        let retried = try stack.put(payload)
        #expect([200, 201].contains(retried.status))
        let isWhole = try stack.get(Stack.key(retried), length: payload.count).body == payload
        #expect(isWhole)
        try stack.expectNothingIncoming()
    }

    @Test(arguments: [
        (["put", "file", "--namespace", "b"], "fdatasync"), (["import"], "fdatasync"), (["get", "key"], "pread64"),
        (["export"], "pread64"), (["rm", "key"], "flock"), (["quota", "--recount"], "flock"),
        (["undelete"], "renameat"),
        (["gc", "--older-than", "2d"], "syncfs"), (["scrub"], "utimensat"), (["scrub", "--repair"], "getdents64"),
        (["init"], "fsync"),
    ])
    func `A command that the disk fails says so, and succeeds when it is run again`(
        arguments: [String],
        call: String
    ) throws {
        let local = try LocalStore()
        let file = local.folder.file("file")
        try write(randomPayload(5000), to: file)
        let key = try local.put(randomPayload(70_000), "a")
        let policy = local.folder.file("policy")
        try write("[a]\nquota = 1m\n".utf8, to: policy)
        let exported = try local.start(["export"])
        #expect(exported.wait() == 0)
        let trashed = try local.put(randomPayload(100), "a")
        switch arguments[0] {
        case "undelete": try local.store.moveToTrash(trashed)
        case "import":
            try local.store.remove(key)
            try local.store.collector().sweep()
        case "init": try FileManager.default.removeItem(atPath: local.path)
        default: break
        }
        let command =
            arguments.map { $0 == "file" ? file : $0 == "key" ? "\(key)" : $0 }
            + (arguments[0] == "quota" ? ["--policy", policy] : [])
        let input = arguments[0] == "import" ? exported.logPath : nil
        let (errno, reason) = call == "flock" ? ("ENOLCK", "No locks available") : ("EIO", "Input/output error")
        let tracer = Tracer(local.folder, Fault(call: call, errno: errno, occurrence: 1))
        let failed = try local.start(command, by: tracer.command, input: input)
        #expect(failed.wait() > 0)
        #expect(tracer.take().contains("INJECTED"))
        #expect(failed.log.contains(reason), "\(failed.log)")
        let again = try local.start(command, input: input)
        #expect(again.wait() == 0, "\(again.log)")
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
