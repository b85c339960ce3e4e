import Foundation
import PayloadKey
import PayloadStore
import Synchronization
import TestSupport
import Testing

/// The power goes at any moment. What was promised by then is so after it, nothing wrong can be read, and the store takes
/// uploads, whatever of the rest was lost.
///
/// What nginx, workers and `lps` do is recorded by strace(1). Of each moment, ``Disk`` knows what POSIX guarantees to be on
/// disk; trees that may be found then are made, and opened.
@Suite(.serialized) struct PowerLossTests {
    private let folder: TemporaryFolder
    /// Old when the tests begin, so that a collection takes it.
    private let old = randomPayload(3000)
    /// Stays.
    private let before = randomPayload(1000)

    init() throws {
        folder = try TemporaryFolder()
    }

    // MARK: What may be found

    /// Opens all that may be found, each tree once: how many trees there are, and what is wrong with some.
    private func replay(
        _ disk: Disk,
        untilWrong: Bool = false,
        _ violations: @escaping @Sendable (CrashState) throws -> [String]
    ) throws -> (trees: Int, wrong: [String]) {
        var generator = SplitMix64(state: 6)
        let states = CrashState.possible(disk, using: &generator)
        let rest = Mutex(Array(states))
        let wrong = Mutex<[String]>([])
        try concurrently(2) { _ in
            while let state = rest.withLock({ $0.popLast() }) {
                for violation in try violations(state) {
                    wrong.withLock { $0.append("\(violation) in\n\(state.description)") }
                }
                if untilWrong, wrong.withLock({ !$0.isEmpty }) { return }
            }
        }
        return (states.count, wrong.withLock { $0 })
    }

    private func expectAllIsKept(_ recorder: DiskRecorder, _ what: String, events: Int) throws {
        let promises = recorder.promises
        let found = try replay(recorder.disk) { try $0.violations(of: promises) }
        print("power loss, \(what): \(recorder.disk.events.count) events, \(found.trees) trees")
        #expect(found.wrong.isEmpty, "\(what), \(found.wrong.count) times: \(found.wrong.first ?? "")")
        #expect(recorder.disk.events.count >= events && found.trees >= 4, "\(what)")
    }

    // MARK: Uploads

    /// The processes of a stack that touch the store.
    private func processes(_ stack: Stack) throws -> [pid_t] {
        stack.workers.map(\.pid) + (try stack.nginx.children())
    }

    private func put(_ content: [UInt8], _ namespace: String, _ stack: Stack) throws -> Promise {
        let answer = try stack.put(content, namespace: namespace)
        #expect([200, 201].contains(answer.status))
        return try .stored(content, namespace)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `An answered upload is whole, new or not, and young`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let recorder = try DiskRecorder(stack.store, in: folder)
        try recorder.attached(to: processes(stack)) {
            [
                try put(old, "a", stack), try put(old, "b", stack), try put(old, "a", stack),
                try put(randomPayload(100_000), "a", stack),
            ]
        }
        try expectAllIsKept(recorder, "uploads, \(mode)", events: 50)
    }

    @Test func `An answered upload that replaces a file of the wrong size is whole`() throws {
        let stack = try Stack()
        #expect(try stack.put(old, namespace: "a").status == 201)
        for path in stack.tree {
            chmod("\(stack.store)/\(path)", 0o640)
            #expect(truncate("\(stack.store)/\(path)", 0) == 0)
        }
        try stack.expectNothingIncoming()
        let recorder = try DiskRecorder(stack.store, in: folder)
        recorder.allowDamage(of: Digest(of: old))
        try recorder.attached(to: processes(stack)) { [try put(old, "a", stack)] }
        try expectAllIsKept(recorder, "replacements", events: 10)
    }

    @Test(arguments: ["mkdirat", "fsync", "fdatasync", "linkat"])
    func `An answered upload is whole where another worker has died over the same payload`(call: String) throws {
        let stack = try Stack(.plain)
        var kills = 0
        for occurrence in 1...20 {
            let content = randomPayload(2000)
            let victim = try Victim(stack)
            let recorder = try DiskRecorder(stack.store, in: folder)
            let kill = ["-e", "inject=\(call):signal=KILL:when=\(occurrence)"]
            var isAnswered = false
            try recorder.attached(to: [victim.process.pid], kill) {
                isAnswered = try victim.put(content, "n\(occurrence)").status != nil
                // strace(1) that is stopped while a process dies may hang.
                guard isAnswered else { return victim.process.wait() == -SIGKILL ? [] : [try .stored([], "alive")] }
                return [try .stored(content, "n\(occurrence)")]
            }
            if isAnswered { break }
            kills += 1
            try recorder.attached(to: processes(stack)) { [try put(content, "n\(occurrence)", stack)] }
            try expectAllIsKept(recorder, "death at \(call) \(occurrence)", events: 8)
        }
        #expect(kills >= 1 && kills < 20)
    }

    @Test func `A sync that is left out loses an answered upload`() throws {
        let stack = try Stack()
        let recorder = try DiskRecorder(stack.store, in: folder)
        let name = Digest(of: old).hex
        try recorder.attached(to: processes(stack)) { [try put(old, "a", stack)] }
        let disk = recorder.disk
        let promises = recorder.promises
        let needed = try disk.events.indices.filter { index in
            guard case .sync = disk.events[index] else { return false }
            let found = try replay(disk.without(event: index), untilWrong: true) { try $0.violations(of: promises) }
            return !found.wrong.isEmpty
        }
        let synced = needed.map { index in
            guard case .sync(let node, _) = disk.events[index] else { return "" }
            return disk.paths(of: node).first { $0.hasPrefix("keys") } ?? ""
        }
        let shard = name.prefix(2)
        #expect(
            Set(synced) == [
                "keys", "keys/a", "keys/a/common", "keys/a/common/\(shard)",
                "keys/a/common/\(shard)/\(name).\(Digest(of: []).hex)",
            ]
        )
    }

    // MARK: The operator's tool

    @Test func `A store that was made is there, and one that was not quite can be made`() throws {
        let parent = folder.file("parent")
        mkdir(parent, 0o750)
        let recorder = try DiskRecorder(parent, in: folder)
        let made: [Promise] = try [.stored(before, "a")]
        #expect(try recorder.run([Project.binary("lps"), "init", "--store", "\(parent)/store"], promised: made) == 0)
        let before = before
        let found = try replay(recorder.disk) { state in
            // In memory, where a sync costs nothing.
            let root = "/dev/shm/lps-test-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: root) }
            try state.make(at: root, old: 0)
            do {
                if state.promises.isEmpty { try PayloadStore.create(at: "\(root)/store") }
                let local = try LocalStore(at: "\(root)/store")
                try local.put(before, "a")
                return []
            } catch {
                return ["\(error)"]
            }
        }
        print("power loss, creation: \(recorder.disk.events.count) events, \(found.trees) trees")
        #expect(found.wrong.isEmpty, "\(found.wrong.count) times: \(found.wrong.first ?? "")")
        #expect(found.trees >= 100)
    }

    /// A store with a payload that is old, and another one that stays.
    private func store() throws -> (LocalStore, DiskRecorder) {
        let local = try LocalStore()
        try local.put(before, "a")
        try local.makeOld(local.put(old, "a"), days: 3)
        return (local, try recorder(local))
    }

    private func recorder(_ local: LocalStore) throws -> DiskRecorder {
        let recorder = try DiskRecorder(local.path, in: folder)
        recorder.promise(try .stored(before, "a", isYoung: false))
        return recorder
    }

    private func lps(_ arguments: [String], _ local: LocalStore, _ recorder: DiskRecorder, promised: [Promise] = [])
        throws -> Int32
    {
        let command = [Project.binary("lps"), arguments[0], "--store", local.path] + arguments.dropFirst()
        return try recorder.run(command, promised: promised)
    }

    @Test(arguments: [[], ["--keep-trash", "1d"]])
    func `What is stored again after a collection is whole`(trash: [String]) throws {
        let (local, recorder) = try store()
        #expect(try lps(["gc", "--older-than", "2d"] + trash, local, recorder) == 0)
        let file = local.folder.file("payload")
        try write(old, to: file)
        let put = ["put", file, "--namespace", "a"]
        #expect(try lps(put, local, recorder, promised: [.stored(old, "a")]) == 0)
        try expectAllIsKept(recorder, "collection \(trash)", events: 15)
    }

    @Test func `What was given back from the trash is whole, and young`() throws {
        let (local, _) = try store()
        #expect(try local.lps(["gc", "--older-than", "2d", "--keep-trash", "1d"]).status == 0)
        let recorder = try recorder(local)
        #expect(try lps(["undelete"], local, recorder, promised: [.stored(old, "a")]) == 0)
        try expectAllIsKept(recorder, "undeletion", events: 10)
    }

    @Test func `What was imported is whole`() throws {
        let (source, _) = try store()
        let archive = source.folder.file("archive")
        let command = "\(Project.binary("lps")) export --store \(source.path) > \(archive)"
        #expect(try run("sh", ["-c", command]).status == 0)
        let local = try LocalStore()
        try local.put(before, "a")
        let recorder = try recorder(local)
        let script = "exec \(Project.binary("lps")) import --store \(local.path) < \(archive)"
        let promised: [Promise] = try [.stored(before, "a"), .stored(old, "a")]
        #expect(try recorder.run(["sh", "-c", script], promised: promised) == 0)
        try expectAllIsKept(recorder, "import", events: 15)
    }

    @Test func `Damaged content that a scrub has taken away does not come back, and what is stored then is whole`()
        throws
    {
        let (local, _) = try store()
        let key = try local.put(old, "b")
        let path = try local.file(of: key)
        chmod(path, 0o640)
        var bytes = old
        bytes[100] ^= 1
        let file = Glibc.open(path, O_WRONLY)
        #expect(Glibc.write(file, bytes, bytes.count) == bytes.count)
        close(file)
        let recorder = try recorder(local)
        #expect(try lps(["scrub"], local, recorder, promised: [.takenAway(key.digest)]) == 1)
        let payload = local.folder.file("payload")
        try write(old, to: payload)
        let promised: [Promise] = try [.stored(old, "a"), .stored(old, "b")]
        #expect(try lps(["put", payload, "--namespace", "a"], local, recorder, promised: promised) == 0)
        try expectAllIsKept(recorder, "scrub", events: 20)
    }

    @Test func `What a scrub mends loses nothing`() throws {
        let (local, _) = try store()
        let lost = try local.put(randomPayload(500), "b")
        unlink("\(local.path)/objects/\(lost.digest.hex.prefix(2))/\(lost.digest.hex)")
        let orphan = try local.put(randomPayload(500), "c")
        unlink(try local.file(of: orphan))
        let recorder = try recorder(local)
        recorder.promise(.stored(lost, try local.get(lost) ?? [], isYoung: false))
        #expect(try lps(["scrub", "--repair"], local, recorder) == 1)
        try expectAllIsKept(recorder, "repair", events: 5)
    }
}
