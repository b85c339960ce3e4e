import DiskStore
import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

/// `lps` and a worker's start, killed just before and just after system calls of every kind: what was stored stays, what
/// is read is right, and the next run finishes what was begun.
@Suite(.serialized, .runLimit) struct KilledCommandTests {
    private let local: LocalStore

    init() throws {
        local = try LocalStore()
    }

    @Test func `A kill at a call comes before it, and after the call before`() throws {
        let file = local.folder.file("file")
        try write(randomPayload(100), to: file)
        let key = try LocalStore.key(contents(of: file), "a")
        let object = local.object(of: key.digest)
        let put = ["put", file, "--namespace", "a"]
        let tracer = Tracer(local.folder, trace: "all")
        try local.start(put, by: tracer.command).wait()
        let calls = TracedCall.onStore(tracer.take(), local.path)
        let link = try #require(calls.firstIndex { $0.name == "linkat" && $0.line.contains("\"\(key.digest.hex)\"") })
        try local.store.delete(key)
        try local.store.collector().sweep()
        #expect(!FileManager.default.fileExists(atPath: object))
        // The folders that are there now make it a few calls less: counted by kind, the link is where it was.
        for (point, isThere) in [(KillPoint(calls[link]), false), (KillPoint(calls[link + 1]), true)] {
            let process = try local.start(put, by: Tracer(local.folder, killing: point).command)
            #expect(process.wait() == -SIGKILL, "\(point)")
            #expect(FileManager.default.fileExists(atPath: object) == isThere, "\(point)")
        }
        // A kill while the call is about to return, when it has done its work.
        unlink(object)
        let name = "linkat:delay_exit=60000000:when=\(calls[link].occurrence)"
        let late = Tracer(local.folder, trace: "linkat", inject: name)
        let strace = try local.start(put, by: late.command)
        try eventually("the link is there") { FileManager.default.fileExists(atPath: object) }
        let lps = try #require(try strace.children().first)
        kill(lps, SIGKILL)
        // Some kernels let it die only when strace lets go of it, which would be at the delay's end.
        strace.signal(SIGKILL)
        strace.wait()
        try eventually("it is dead") {
            (try? String(contentsOfFile: "/proc/\(lps)/stat", encoding: .utf8).contains(") Z ")) ?? true
        }
        let linked = try local.get(key)
        #expect(linked == nil && FileManager.default.fileExists(atPath: object), "as before the next call")
    }

    /// Kills a command at points of every kind.
    ///
    /// - Parameter check: what is to hold after each kill.
    private func killing(
        _ arguments: [String],
        input: String? = nil,
        most: Int,
        prepare: () throws -> Void,
        check: (KillPoint) throws -> Void
    ) throws {
        try prepare()
        let tracer = Tracer(local.folder, trace: "all")
        let usual = try local.start(arguments, by: tracer.command, input: input).wait()
        let points = KillPoint.some(TracedCall.onStore(tracer.take(), local.path), most: most)
        var kills = 0
        for point in points {
            try prepare()
            let process = try local.start(
                arguments,
                by: Tracer(local.folder, killing: point).command,
                input: input
            )
            let status = process.wait()
            if status == -SIGKILL { kills += 1 }
            #expect(status == -SIGKILL || status == usual, "\(point): \(status) \(process.log)")
            unlink(process.logPath)
            try check(point)
        }
        print("\(arguments[0]): killed at \(kills) points")
        #expect(kills >= 30 && kills > points.count / 2, "\(kills) of \(points.count)")
    }

    private func expectWholeOrAbsent(_ key: PayloadKey, _ content: [UInt8], _ point: KillPoint) throws {
        let found = try local.get(key)
        let isRight = found == nil || found == content
        #expect(isRight, "\(point)")
    }

    private func expectWhole(_ key: PayloadKey, _ content: [UInt8], _ point: KillPoint) throws {
        let isWhole = try local.get(key) == content
        #expect(isWhole, "\(point)")
    }

    @Test func `A put that is killed has stored its payload or not, and another one does`() throws {
        let before = randomPayload(3000)
        let beforeKey = try local.put(before, "a")
        let file = local.folder.file("file")
        var content: [UInt8] = []
        try killing(["put", file, "--namespace", "a"], most: 1) {
            content = randomPayload(70_000)
            try write(content, to: file)
        } check: { point in
            let key = try LocalStore.key(content, "a")
            try expectWholeOrAbsent(key, content, point)
            try expectWhole(beforeKey, before, point)
            #expect(try local.lps(["put", file, "--namespace", "a"]).status == 0)
            try expectWhole(key, content, point)
        }
        try local.expectSound()
        try local.expectOnlyLeftovers()
    }

    @Test func `A deletion that is killed leaves its key or not, and others with the same content`() throws {
        let content = randomPayload(3000)
        let alone = randomPayload(2000)
        let keys = try [LocalStore.key(content, "a"), LocalStore.key(alone, "a")]
        try killing(["rm"] + keys.map { "\($0)" }, most: 2) {
            try local.put(content, "a")
            try local.put(content, "b")
            try local.put(alone, "a")
        } check: { point in
            try expectWholeOrAbsent(keys[0], content, point)
            try expectWholeOrAbsent(keys[1], alone, point)
            try expectWhole(LocalStore.key(content, "b"), content, point)
            _ = try local.lps(["rm"] + keys.map { "\($0)" })
            for key in keys { #expect(try local.get(key) == nil, "\(point)") }
            try expectWhole(LocalStore.key(content, "b"), content, point)
        }
        try local.expectSound()
        try local.expectOnlyLeftovers()
    }

    /// An archive of three keys, two of them of one content.
    private func archive() throws -> (path: String, payloads: [(key: PayloadKey, content: [UInt8])]) {
        let other = try LocalStore()
        let contents = [randomPayload(70_000), randomPayload(2000)]
        let payloads = try [
            (other.put(contents[0], "a"), contents[0]), (other.put(contents[0], "b", prefix: "p"), contents[0]),
            (other.put(contents[1], "a"), contents[1]),
        ]
        let exported = try other.start(["export"])
        #expect(exported.wait() == 0)
        let path = local.folder.file("archive-\(UUID().uuidString)")
        try write(TestSupport.contents(of: exported.logPath), to: path)
        return (path, payloads)
    }

    @Test func `An import that is killed has stored whole payloads only, and another one stores the rest`() throws {
        let archive = try archive()
        try killing(["import"], input: archive.path, most: 1) {
            for payload in archive.payloads { try local.store.delete(payload.key) }
        } check: { point in
            for payload in archive.payloads { try expectWholeOrAbsent(payload.key, payload.content, point) }
            #expect(try local.start(["import"], input: archive.path).wait() == 0)
            for payload in archive.payloads { try expectWhole(payload.key, payload.content, point) }
        }
        try local.expectSound()
        try local.expectOnlyLeftovers()
    }

    @Test(arguments: [[], ["--repair"]])
    func `A scrub that is killed takes nothing that is right, and an upload gives back what it took`(option: [String])
        throws
    {
        let good = randomPayload(3000)
        let bad = randomPayload(2000)
        let orphan = randomPayload(500)
        let goodKey = try LocalStore.key(good, "a")
        let badKeys = try [LocalStore.key(bad, "a"), LocalStore.key(bad, "b", prefix: "p")]
        try killing(["scrub"] + option, most: 1) {
            try local.put(good, "a")
            try local.put(bad, "a")
            try local.put(bad, "b", prefix: "p")
            try local.damage(badKeys[0])
            guard !option.isEmpty else { return }
            // The content of a payload that was never answered.
            try unlink(local.file(of: local.put(orphan, "a")))
            chmod(local.object(of: goodKey.digest), 0o644)
            let stale = "\(local.path)/incoming/stale"
            try write([1], to: stale)
            let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
            utimes(stale, [old, old])
        } check: { point in
            try expectWhole(goodKey, good, point)
            #expect(try local.lps(["scrub"] + option).status < 2)
            for key in badKeys { #expect(try local.get(key) == nil, "\(point)") }
            try expectWhole(goodKey, good, point)
            // The upload that revives them, all of them.
            try local.put(bad, "a")
            for key in badKeys { try expectWhole(key, bad, point) }
            _ = try local.lps(["scrub", "--repair"])
            let clean = try local.lps(["scrub"])
            #expect(clean.status == 0, "\(point): \(clean.output)")
        }
        try local.expectOnlyLeftovers()
    }

    @Test func `A store whose making is killed is made by the next init`() throws {
        try killing(["init"], most: 2) {
            try FileManager.default.removeItem(atPath: local.path)
        } check: { point in
            let made = try local.lps(["init"])
            #expect(made.status == 0, "\(point): \(made.output)")
            let store = try DiskStore(path: local.path, reserve: 0, logger: RecordedLog().logger)
            try store.inspect { Issue.record("\(point): \($0)") }
        }
    }

    @Test func `A start that is killed leaves a store and a pool that the next one serves`() throws {
        let stack = try Stack()
        let before = randomPayload(3000)
        let key = try Stack.key(stack.put(before, namespace: "before"))
        let runtime = stack.folder.file("pool")
        let socket = stack.folder.file("killed.sock")
        let command = [
            Project.binary("lps-worker"), "--store", stack.store, "--listen", socket, "--threads", "1",
            "--runtime-dir", runtime,
        ]
        func prepare() throws {
            let stale = "\(stack.store)/incoming/stale"
            try write([1], to: stale)
            let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
            utimes(stale, [old, old])
        }
        /// Starts it until it serves, or is killed: whether it serves.
        func start(_ tracer: Tracer?) throws -> Bool {
            let process = try ChildProcess(
                tracer?.command[0] ?? command[0],
                Array(((tracer?.command ?? []) + command).dropFirst()),
                log: stack.folder.file("start-\(UUID().uuidString)")
            )
            try eventually("it serves or ends: \(process.log)") {
                !process.isRunning || process.log.contains("msg=serving")
            }
            guard process.isRunning else {
                let status = process.wait()
                #expect(tracer != nil && status == -SIGKILL, "\(status): \(process.log)")
                return false
            }
            if tracer != nil {
                // It may be killed at a call that comes after its line in the log.
                if let worker = try process.children().first { kill(worker, SIGTERM) }
                let status = process.wait()
                #expect(status == 0 || status == -SIGKILL, "\(status): \(process.log)")
            } else {
                process.signal(SIGTERM)
                #expect(process.wait() == 0)
            }
            return true
        }
        try prepare()
        let tracer = Tracer(stack.folder, trace: "all")
        #expect(try start(tracer))
        let startUp = tracer.take().components(separatedBy: "msg=serving")[0]
        let points = KillPoint.some(TracedCall.onStore(startUp, stack.store), most: 1)
        var kills = 0
        for point in points {
            try prepare()
            if try !start(Tracer(stack.folder, killing: point)) { kills += 1 }
            #expect(try start(nil), "\(point)")
            #expect(!stack.incoming.contains("stale"), "\(point)")
        }
        let isWhole = try stack.get(key, length: before.count).body == before
        #expect(isWhole)
        let store = try DiskStore(path: stack.store, reserve: 0, logger: RecordedLog().logger)
        try store.inspect { Issue.record("\($0)") }
        print("starts: killed at \(kills) points")
        #expect(kills >= 30)
    }
}
