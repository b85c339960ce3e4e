import DiskStore
import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

/// Disk faults as clients and operators of real processes see them. The simulation shows that a fault at any call loses
/// nothing.
@Suite(.serialized, .runLimit) struct DiskFaultTests {
    private func inode(_ path: String) throws -> ino_t {
        var status = stat()
        try #require(stat(path, &status) == 0, "\(path)")
        return status.st_ino
    }

    private let syncFails = Fault(call: "fdatasync", errno: "EIO", occurrence: 1)

    /// The file that a worker syncs for an upload. Expects `status` in the answer.
    private func synced(
        _ stack: Stack,
        by worker: ChildProcess,
        fault: Fault? = nil,
        expects status: Int,
        _ upload: () throws -> Int?
    ) throws -> Substring {
        let tracer = Tracer(stack.folder, trace: "fdatasync", fault)
        #expect(try tracer.attached(to: worker, upload) == status)
        let calls = tracer.take().split(separator: "\n").filter { $0.contains("fdatasync(") }
        #expect(calls.count == 1 && (fault == nil || calls[0].contains("INJECTED")), "\(calls)")
        return try #require(calls.first?.split(separator: "<").last?.prefix { $0 != ">" })
    }

    @Test func `A file whose sync failed is never stored, even if nginx hands it over again`() throws {
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
        let key = Stack.key(of: payload, "a")
        let victim = try Victim(stack)
        _ = try synced(stack, by: victim.process, fault: syncFails, expects: 500) {
            try victim.request(parameters).status
        }
        #expect(try stack.get(key, length: payload.count).status == 404)
        // As if the first worker had died. To the kernel the file is clean: another sync would succeed without effect.
        let next = try Victim(stack)
        let synced = try synced(stack, by: next.process, expects: 201) { try next.request(parameters).status }
        #expect(!synced.hasSuffix("/0000000001"))
        #expect(try inode(stack.object(of: key)) != inode(file))
        let isWhole = try stack.get(key, length: payload.count).body == payload
        #expect(isWhole)
        // Mode 0440: a worker has verified this file before, so the disk must have damaged it since.
        try write(randomPayload(payload.count), to: file + "2")
        chmod(file + "2", 0o440)
        let wrong = try next.request(parameters.merging(["REQUEST_BODY_FILE": file + "2"]) { $1 })
        #expect(wrong.status == 500 && next.process.log.contains("lost data that the disk could not write"))
        for file in [file, file + "2"] { unlink(file) }
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A client's retry after a failed sync writes a new file`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--threads", "1"])
        let payload = randomPayload(70_000)
        let failed = try synced(stack, by: stack.workers[0], fault: syncFails, expects: 500) {
            try stack.put(payload).status
        }
        #expect(stack.tree.isEmpty)
        let second = try synced(stack, by: stack.workers[0], expects: 201) { try stack.put(payload).status }
        #expect(failed != second)
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A disk error fails an upload with one line, the log has the reason, and a retry succeeds`(
        mode: Stack.Mode
    ) throws {
        let stack = try Stack(mode, options: ["--threads", "1"])
        for (call, errno, status, reason) in [
            ("mkdirat", "EDQUOT", 507, "Disk quota exceeded"), ("fdatasync", "ENOSPC", 507, "No space left on device"),
            ("fsync", "EIO", 500, "Input/output error"),
        ] {
            let payload = randomPayload(5000)
            let tracer = Tracer(stack.folder, Fault(call: call, errno: errno, occurrence: 1))
            let answer = try tracer.attached(to: stack.workers[0]) { try stack.put(payload) }
            #expect(tracer.take().contains("INJECTED"), "\(call)")
            #expect(answer.status == status)
            #expect(answer.text.split(separator: "\n").count == 1 && !answer.text.contains(stack.store))
            #expect(stack.workerLog.contains(reason))
            let retried = try stack.put(payload)
            #expect([200, 201].contains(retried.status))
            let isWhole = try stack.get(Stack.key(retried), length: payload.count).body == payload
            #expect(isWhole)
        }
        try stack.expectNothingIncoming()
    }

    @Test func `A command reports a disk error, and succeeds when it is run again`() throws {
        let local = try TestStore(isInMemory: true)
        let (file, policy) = (local.folder.file("file"), local.folder.file("policy"))
        try write(randomPayload(5000), to: file)
        try write("[a]\nquota = 1m\n".utf8, to: policy)
        let key = "\(try local.put(randomPayload(70_000), "a"))"
        try local.store.moveToTrash(local.put(randomPayload(100), "a"))
        let exported = try local.start(["export"])
        #expect(exported.wait() == 0)
        for (arguments, call) in [
            (["put", file, "--namespace", "b"], "fdatasync"), (["get", key], "pread64"), (["export"], "pread64"),
            (["quota", "--recount", "--policy", policy], "flock"), (["undelete"], "renameat"),
            (["gc", "--older-than", "2d"], "syncfs"), (["scrub"], "utimensat"), (["scrub", "--repair"], "getdents64"),
            (["rm", key], "flock"), (["import"], "fdatasync"), (["init"], "fsync"),
        ] {
            if arguments == ["init"] { try FileManager.default.removeItem(atPath: local.path) }
            let input = arguments == ["import"] ? exported.logPath : nil
            let (errno, reason) = call == "flock" ? ("ENOLCK", "No locks available") : ("EIO", "Input/output error")
            let tracer = Tracer(local.folder, Fault(call: call, errno: errno, occurrence: 1))
            let failed = try local.start(arguments, by: tracer.command, input: input)
            #expect(failed.wait() > 0, "\(arguments)")
            #expect(tracer.take().contains("INJECTED"), "\(arguments)")
            #expect(failed.log.contains(reason), "\(arguments): \(failed.log)")
            let again = try local.start(arguments, input: input)
            #expect(again.wait() == 0, "\(arguments): \(again.log)")
        }
    }

    @Test func `A failed close affects no stored payload and no download`() throws {
        let stack = try Stack(.plain)
        let count = stack.folder.file("count")
        let environment = try Preload.environment(["CLOSE": "\(EIO)"], count: count)
        let victim = try Victim(stack, environment: environment)
        let payload = randomPayload(5000).map { $0 & 0x3F + 0x20 }
        for status in [201, 200] { #expect(try victim.put(payload, "a").status == status) }
        let isWhole = try victim.get(payload, "a").body == String(decoding: payload, as: UTF8.self)
        #expect(isWhole)
        #expect(Preload.count(count) >= 5)
        let local = try TestStore(isInMemory: true)
        let file = local.folder.file("file")
        try write(payload, to: file)
        for command in [["put", file, "--namespace", "a"], ["scrub"], ["quota", "--recount"]] {
            // Standard output is a file, too, whose close reports whether the output was written.
            let child = try local.start(command, environment: environment)
            #expect(child.wait() == 1 && child.log.contains("lps: write to standard output: "), "\(child.log)")
            #expect(child.log.split(separator: "\n").filter { $0.contains("rror") }.count == 1, "\(child.log)")
            #expect(try local.get(payload, "a") == payload, "\(command)")
        }
    }

    @Test func `A command fails if it can't write its result`() throws {
        let local = try TestStore(isInMemory: true)
        let file = local.folder.file("file")
        try write([1], to: file)
        let key = "\(try local.put([1], "a"))"
        let toFull = ["/bin/sh", "-c", "exec \"$@\" > /dev/full", "sh"]
        for command in [["ls"], ["put", file, "--namespace", "a"], ["stat", key], ["du"], ["quota"]] {
            let child = try local.start(command, by: toFull)
            #expect(child.wait() == 1, "\(command)")
            #expect(child.log.contains("lps: write to standard output"), "\(child.log)")
        }
    }
}
