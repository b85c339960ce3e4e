import DiskStore
import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

/// Whatever system call fails, in whatever way: nothing that was answered is lost, nothing wrong is ever read, and nothing
/// needs a repair by hand.
@Suite(.serialized, .runLimit) struct FaultTests {
    private func expectWhole(_ payload: [UInt8], _ namespace: String, in stack: Stack, _ fault: Fault) throws {
        let isWhole = try stack.get(Stack.key(of: payload, namespace), length: payload.count).body == payload
        #expect(isWhole, "\(fault)")
    }

    /// Nothing in the tree is other than its name says, and the leftovers go with the next start's sweep.
    private func expectSound(_ stack: Stack) throws {
        try stack.expectObjectsWhole()
        let store = try DiskStore(path: stack.store, reserve: 0, logger: RecordedLog().logger)
        _ = try store.scrub { Issue.record("\($0)") }
        // An upload that was refused in its last step has left its content, and that is all.
        try store.inspect { finding in
            #expect(finding.kind == .unreferencedContent, "\(finding)")
        }
        let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
        for name in stack.incoming { utimes("\(stack.store)/incoming/\(name)", [old, old]) }
        try stack.startWorkers(1)
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Mode.allCases)
    func `An upload of which any system call fails is answered with an error, or is whole`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let before = randomPayload(3000)
        #expect(try stack.put(before, namespace: "before").status == 201)
        let trace = Tracer(stack.folder, nil)
        let first = try Victim(stack)
        #expect(try trace.attached(to: first.process) { try first.put(randomPayload(5000), "traced") }.status == 201)
        let points = Fault.all(TracedCall.parse(trace.take()))
        var tried = 0
        var refused = 0
        for (call, faults) in Dictionary(grouping: points, by: \.call).sorted(by: { $0.key < $1.key }) {
            let victim = try Victim(stack)
            let openFiles = victim.openFiles.count
            // A shard that this worker has not seen, so that it makes the same calls every time.
            var shards: Set<Substring> = []
            for fault in faults {
                var payload = randomPayload(5000)
                while !shards.insert(Stack.digest(payload).dropFirst(7).prefix(2)).inserted {
                    payload = randomPayload(5000)
                }
                let namespace = "\(call)-\(tried)"
                let tracer = Tracer(stack.folder, fault)
                let answer = try tracer.attached(to: victim.process) { try victim.put(payload, namespace) }
                let injected = TracedCall.parse(tracer.take()).first { $0.line.contains("INJECTED") }
                guard let injected else {
                    #expect(answer.isTaken)
                    continue
                }
                tried += 1
                if answer.isTaken {
                    try expectWhole(payload, namespace, in: stack, fault)
                } else {
                    refused += 1
                    // Where the connection itself failed, there is nobody to tell. No signal comes to a thread there: all
                    // are blocked.
                    if injected.isOfFiles {
                        #expect(answer.isClearError, "\(fault): \(answer)")
                        #expect(!fault.mustBeInvisible, "\(fault): \(answer)")
                        // A disk that is full lets files be read.
                        let isReading = injected.line.contains("O_RDONLY|O_NONBLOCK")
                        let isFull = ["ENOSPC", "EDQUOT"].contains(fault.errno) && !isReading
                        #expect(!isFull || answer.status == 507, "\(fault): \(answer)")
                    }
                    let fetched = try stack.get(Stack.key(of: payload, namespace), length: payload.count)
                    #expect(fetched.status == 404 || fetched.body == payload, "\(fault)")
                }
                #expect(try victim.put(payload, namespace).isTaken, "\(fault), and then none")
                try expectWhole(payload, namespace, in: stack, fault)
            }
            #expect(victim.process.isRunning)
            try eventually("nothing stays open after \(call)") { victim.openFiles.count == openFiles }
        }
        try expectWhole(before, "before", in: stack, try #require(points.first))
        try expectSound(stack)
        print("uploads, \(mode): \(tried) faults, \(refused) refused")
        expectFaults(tried, of: points, told: refused)
        let isWholeUpload = Set(points.map(\.call)).isSuperset(of: ["flock", "linkat", "fdatasync", "fsync", "openat2"])
        #expect(isWholeUpload, "it locks, links and syncs")
    }

    @Test func `A renewal of which any system call fails is answered with an error, or is one`() throws {
        let stack = try Stack()
        let payload = randomPayload(5000)
        let victim = try Victim(stack)
        #expect(try victim.put(payload, "a").status == 201)
        let trace = Tracer(stack.folder, nil)
        #expect(try trace.attached(to: victim.process) { try victim.put(payload, "a") }.status == 200)
        let path = "\(stack.store)/" + (try #require(stack.keys.first { $0.hasPrefix("keys/a/") }))
        var tried = 0
        let faults = Fault.all(TracedCall.parse(trace.take()))
        for fault in faults {
            let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
            utimes(path, [old, old])
            let tracer = Tracer(stack.folder, fault)
            let answer = try tracer.attached(to: victim.process) { try victim.put(payload, "a") }
            let injected = TracedCall.parse(tracer.take()).first { $0.line.contains("INJECTED") }
            guard let injected else { continue }
            tried += 1
            var status = stat()
            #expect(stat(path, &status) == 0)
            if answer.isTaken {
                let isRenewed = status.st_mtim.tv_sec > time(nil) - 3600
                // A key that the file system denies is made, and found made already.
                #expect(isRenewed || fault.deniesAName, "\(fault): an answer means that it is renewed")
            } else if injected.isOfFiles {
                #expect(answer.isClearError && !fault.mustBeInvisible, "\(fault): \(answer)")
            }
            try expectWhole(payload, "a", in: stack, fault)
        }
        #expect(try victim.put(payload, "a").status == 200)
        try expectSound(stack)
        print("renewals: \(tried) faults")
        expectFaults(tried, of: faults)
    }

    @Test func `A download of which any system call fails is an error, or cut off, never other bytes`() throws {
        let stack = try Stack(.plain)
        // Several pieces; ASCII, for the answer is text.
        let payload = randomPayload(200_000).map { $0 & 0x3F + 0x20 }
        #expect(try stack.put(payload, namespace: "a").status == 201)
        let text = String(decoding: payload, as: UTF8.self)
        let victim = try Victim(stack)
        let openFiles = victim.openFiles.count
        let trace = Tracer(stack.folder, nil)
        #expect(try trace.attached(to: victim.process) { try victim.get(payload, "a") }.body == text)
        var tried = 0
        let faults = Fault.all(TracedCall.parse(trace.take()))
        for fault in faults {
            let tracer = Tracer(stack.folder, fault)
            let answer = try tracer.attached(to: victim.process) { try victim.get(payload, "a") }
            let injected = TracedCall.parse(tracer.take()).first { $0.line.contains("INJECTED") }
            guard let injected else { continue }
            tried += 1
            if answer.status == 200 {
                #expect(answer.announced == payload.count)
                let isTrue = text.hasPrefix(answer.body)
                #expect(isTrue, "\(fault)")
                if fault.mustBeInvisible, injected.isOfFiles { #expect(answer.body.utf8.count == payload.count) }
            } else if injected.isOfFiles {
                #expect(!fault.mustBeInvisible, "\(fault): \(answer)")
                #expect(answer.isClearError, "\(fault): \(answer)")
                #expect((answer.status ?? 500) >= 500 || fault.deniesAName, "\(fault): \(answer)")
            }
            let isWhole = try victim.get(payload, "a").body == text
            #expect(isWhole, "\(fault), and then none")
        }
        try eventually("nothing stays open") { victim.openFiles.count == openFiles }
        print("downloads: \(tried) faults")
        expectFaults(tried, of: faults)
    }

    @Test func `A start of which any system call fails serves, or says why it does not`() throws {
        let stack = try Stack()
        let before = randomPayload(3000)
        #expect(try stack.put(before, namespace: "before").status == 201)
        let socket = stack.folder.file("start.sock")
        let runtime = stack.folder.file("start-pool")
        try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: true)
        let settings = stack.folder.file("settings")
        let policy = try stack.policy("[a]\nquota = 1g\n")
        try write("LPS_POLICY=\(policy)\nLPS_ACCESS_LOG=\(stack.folder.file("victim-access.log"))\n".utf8, to: settings)
        let command = [
            Project.binary("lps-worker"), "--config", settings, "--store", stack.store, "--listen", socket, "--threads",
            "1", "--runtime-dir", runtime,
        ]
        /// Starts a worker with a fault, and stops it if it serves: whether it did, its log, and its calls.
        func start(_ fault: Fault?) throws -> (serves: Bool, status: Int32, log: String, trace: String) {
            unlink(socket)
            let tracer = Tracer(stack.folder, fault)
            let strace = try tracer.start(command)
            let end = Date().addingTimeInterval(60)
            while strace.isRunning, !strace.log.contains("msg=serving") {
                guard Date() < end else { throw NeverHappened(what: "\(strace.log)") }
                usleep(5000)
            }
            let serves = strace.isRunning
            if serves {
                let payload = randomPayload(1000)
                let answer = CGIAnswer(try stack.putThroughFastCGI(payload, namespace: "new", socket))
                // The fault may be yet to come, in the upload.
                #expect(answer.isTaken || answer.isClearError, "\(String(describing: fault)): \(answer)")
                // In strace's group, which would outlive a signal to strace alone.
                kill(try #require(try strace.children().first), SIGTERM)
            }
            let status = strace.wait()
            return (serves, status, strace.log, tracer.take())
        }
        let traced = try start(nil)
        #expect(traced.serves && traced.status == 0)
        let startUp = traced.trace.components(separatedBy: "msg=serving")[0]
        // It writes to its log only, whose line this test waits for, and to the eventfd(2) that ends its threads.
        let calls = TracedCall.onStore(startUp, settings).filter { $0.name != "write" }
        var tried = 0
        var refused = 0
        let faults = Fault.some(calls, most: 24)
        for fault in faults {
            let (serves, status, log, trace) = try start(fault)
            guard trace.contains("INJECTED") else { continue }
            tried += 1
            if !serves {
                refused += 1
                #expect(status > 0 && status < 128, "\(fault): \(status) \(log)")
                #expect(log.contains("lps-worker: "), "\(fault): \(log)")
                #expect(!fault.mustBeInvisible, "\(fault): \(log)")
                // With 78, no supervisor would try again what may succeed the next time.
                let isForGood = ["ENOENT", "EACCES", "EROFS"].contains(fault.errno)
                #expect(isForGood || status == 1, "\(fault): \(status) \(log)")
            }
        }
        try expectWhole(before, "before", in: stack, Fault(call: "start", errno: "any", occurrence: tried))
        let again = try start(nil)
        #expect(again.serves && again.status == 0)
        try expectSound(stack)
        print("starts: \(tried) faults, \(refused) did not start")
        expectFaults(tried, of: faults, told: refused)
    }

    /// Runs `lps` with a fault: its status and output; `nil` when it did not come to the fault.
    private func run(_ arguments: [String], _ local: LocalStore, _ fault: Fault) throws -> (Int32, String)? {
        let tracer = Tracer(local.folder, fault)
        let strace = try tracer.start(
            [Project.binary("lps"), arguments[0], "--store", local.path] + arguments.dropFirst()
        )
        let status = strace.wait()
        let log = strace.log
        return tracer.take().contains("INJECTED") ? (status, log) : nil
    }

    private func points(_ arguments: [String], _ local: LocalStore) throws -> [Fault] {
        let tracer = Tracer(local.folder, nil)
        let command = [Project.binary("lps"), arguments[0], "--store", local.path] + arguments.dropFirst()
        try tracer.start(command).wait()
        return Fault.some(TracedCall.onStore(tracer.take(), local.path), most: 16)
    }

    @Test(arguments: [[], ["--keep-trash", "1d"]])
    func `A collection of which any system call fails says so, and loses nothing that is to stay`(option: [String])
        throws
    {
        let local = try LocalStore()
        let collect = ["gc", "--older-than", "2d"] + option
        let young = randomPayload(3000)
        let youngKey = try local.put(young, "a")
        let old = [("a", randomPayload(1000)), ("b", randomPayload(2000))]
        func prepare() throws -> [PayloadKey] {
            let keys = try old.map { try local.put($0.1, $0.0) }
            for key in keys { try local.makeOld(key, days: 3) }
            // The object of a payload that was never answered.
            let orphan = try local.put(randomPayload(500), "b")
            #expect(try unlink(local.file(of: orphan)) == 0)
            return keys
        }
        _ = try prepare()
        let points = try points(collect, local)
        var tried = 0
        var told = 0
        for fault in points {
            let keys = try prepare()
            guard let (status, log) = try run(collect, local, fault) else { continue }
            tried += 1
            if status != 0 {
                told += 1
                #expect(
                    status > 0 && status < 128 && (log.contains("lps: ") || log.contains("rror: ")),
                    "\(fault): \(log)"
                )
                // No signal has a handler in lps, so none interrupts what it prints.
                #expect(!fault.mustBeInvisible || fault.call == "write", "\(fault): \(log)")
            } else if !fault.deniesAName {
                let left = try keys.filter { try local.get($0) != nil }
                #expect(left.isEmpty, "\(fault): \(log)")
            }
            #expect(try local.get(youngKey) == young, "\(fault)")
            try local.expectSound()
            // In the trash, nothing is lost.
            if !option.isEmpty {
                for (key, content) in zip(keys, old) {
                    let trashed = try local.store.trashed(key).first
                    let kept = try local.get(key) ?? trashed.map { _ in try contents(of: local.object(of: key.digest)) }
                    #expect(kept == content.1, "\(fault)")
                }
            }
            #expect(try local.lps(collect).status == 0, "\(fault), and then none")
            let left = try keys.filter { try local.get($0) != nil }
            #expect(left.isEmpty, "\(fault), and then none")
            #expect(try local.get(youngKey) == young, "\(fault), and then none")
        }
        try expectOnlyLeftovers(local)
        print("collections \(option): \(tried) faults, \(told) told")
        expectFaults(tried, of: points, told: told)
    }

    private func expectOnlyLeftovers(_ local: LocalStore) throws {
        for name in files(below: "\(local.path)/incoming") {
            let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
            utimes("\(local.path)/incoming/\(name)", [old, old])
        }
        try local.store.removeLeftovers()
        #expect(files(below: "\(local.path)/incoming").isEmpty)
    }

    @Test func `A scrub of which any system call fails takes nothing that is right, and overlooks nothing silently`()
        throws
    {
        let local = try LocalStore()
        let payload = randomPayload(3000)
        let key = try local.put(payload, "a")
        let damaged = randomPayload(2000)
        let damagedKey = try LocalStore.key(damaged, "b")
        func damage() throws {
            try local.put(damaged, "b")
            try local.damage(damagedKey)
        }
        func expectKept(_ fault: Fault) throws {
            let isKept = try local.get(key) == payload
            #expect(isKept, "\(fault)")
        }
        try damage()
        let points = try points(["scrub"], local)
        var tried = 0
        for fault in points {
            try local.put(payload, "a")
            try damage()
            guard let (status, log) = try run(["scrub"], local, fault) else { continue }
            tried += 1
            #expect(status >= 0 && status < 128, "\(fault): \(status) \(log)")
            // What is damaged is found, or else what kept it from that is told.
            let isTold = !log.isEmpty || fault.call == "write"
            #expect(status > 0 && status < 128 && isTold || fault.deniesAName, "\(fault): \(status) \(log)")
            try expectKept(fault)
            if fault.mustBeInvisible { #expect(try local.get(damagedKey) == nil, "\(fault): \(log)") }
            _ = try local.lps(["scrub"])
            #expect(try local.get(damagedKey) == nil, "\(fault), and then none")
            try expectKept(fault)
            let findings = try local.lps(["scrub", "--repair"])
            // Its key stays until it is deleted, or its payload is uploaded again.
            try local.store.delete(damagedKey)
            let clean = try local.lps(["scrub"])
            #expect(clean.status == 0, "\(fault): \(findings.output) \(clean.output)")
        }
        try expectOnlyLeftovers(local)
        print("scrubs: \(tried) faults")
        expectFaults(tried, of: points)
    }
}
