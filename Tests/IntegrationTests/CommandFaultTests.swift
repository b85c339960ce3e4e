import DiskStore
import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

/// Whatever system call of a command fails: it says so, or has done what it was to do; what was stored stays, and the
/// next run does the rest.
@Suite(.serialized, .runLimit) struct CommandFaultTests {
    private let local: LocalStore

    init() throws {
        local = try LocalStore()
    }

    /// What a command did when a call failed.
    private struct Attempt {
        let fault: Fault
        let isDone: Bool
        /// Standard output and standard error.
        let output: String
    }

    /// Runs a command again and again, each time with another fault.
    ///
    /// - Parameters:
    ///   - turn: which errors it begins with, so that suites together have more of them.
    ///   - wrapper: what it is run by.
    ///   - succeeds: the exit status of one that has no fault.
    private func tryFaults(
        _ arguments: [String],
        turn: Int,
        input: String? = nil,
        wrapper: [String] = [],
        succeeds: Int32 = 0,
        prepare: () throws -> Void = {},
        check: (Attempt) throws -> Void
    ) throws {
        try prepare()
        let tracer = Tracer(local.folder, nil)
        let traced = try local.start(arguments, by: wrapper + tracer.command, input: input)
        #expect(traced.wait() == succeeds, "\(traced.log)")
        let faults = Fault.few(TracedCall.onStore(tracer.take(), local.path), each: 4, turn: turn)
        var tried = 0
        var told = 0
        for fault in faults {
            try prepare()
            let tracer = Tracer(local.folder, fault)
            let process = try local.start(arguments, by: wrapper + tracer.command, input: input)
            let status = process.wait()
            let output = process.log
            unlink(process.logPath)
            guard tracer.take().contains("INJECTED") else { continue }
            tried += 1
            // Of write(2), it may be the telling that failed.
            let isTold = output.contains("lps: ") || output.contains("rror: ") || fault.call == "write"
            if status != succeeds {
                told += 1
                #expect(status > 0 && status < 128 && isTold, "\(fault): \(status) \(output)")
                // No signal has a handler in lps, so none interrupts what it prints.
                #expect(!fault.mustBeInvisible || fault.call == "write", "\(fault): \(output)")
            }
            try check(Attempt(fault: fault, isDone: status == succeeds, output: output))
        }
        print("\(arguments[0]): \(tried) faults, \(told) told")
        // One that finds what it is to find fails anyway.
        expectFaults(tried, of: faults, told: succeeds == 0 ? told : nil)
    }

    private func expectWhole(_ key: PayloadKey, _ content: [UInt8], _ fault: Fault) throws {
        let isWhole = try local.get(key) == content
        #expect(isWhole, "\(fault)")
    }

    @Test func `A put of which any system call fails has stored the payload, or says why not`() throws {
        let before = randomPayload(3000)
        let beforeKey = try local.put(before, "a")
        let file = local.folder.file("file")
        var content: [UInt8] = []
        try tryFaults(["put", file, "--namespace", "a"], turn: 0) {
            content = randomPayload(70_000)
            try write(content, to: file)
        } check: { attempt in
            let key = try LocalStore.key(content, "a")
            if attempt.isDone {
                try expectWhole(key, content, attempt.fault)
                #expect(attempt.output.contains("\(key)\n"), "\(attempt.fault): a key that nobody is told is lost")
            } else {
                let found = try local.get(key)
                let isRight = found == nil || found == content
                #expect(isRight, "\(attempt.fault)")
            }
            #expect(try local.lps(["put", file, "--namespace", "a"]).status == 0, "\(attempt.fault), and then none")
            try expectWhole(key, content, attempt.fault)
            try expectWhole(beforeKey, before, attempt.fault)
        }
        try local.expectSound()
        try local.expectOnlyLeftovers()
    }

    @Test func `A get of which any system call fails writes the payload, or says why not`() throws {
        // ASCII, since the log is text.
        let content = randomPayload(70_000).map { $0 & 0x3F + 0x20 }
        let key = try local.put(content, "a")
        let text = String(decoding: content, as: UTF8.self)
        try tryFaults(["get", "\(key)"], turn: 1) { attempt in
            // There may be a warning beside it.
            let isWhole = attempt.output.contains(text)
            #expect(isWhole || !attempt.isDone, "\(attempt.fault)")
            try expectWhole(key, content, attempt.fault)
        }
    }

    @Test func `A deletion of which any system call fails leaves all other keys`() throws {
        let content = randomPayload(3000)
        let key = try LocalStore.key(content, "a")
        let other = try LocalStore.key(content, "b")
        try tryFaults(["rm", "\(key)"], turn: 2) {
            try local.put(content, "a")
            try local.put(content, "b")
        } check: { attempt in
            let found = try local.get(key)
            let isTrue = found == nil || !attempt.isDone || attempt.fault.deniesAName
            #expect(isTrue, "\(attempt.fault)")
            let isRight = found == nil || found == content
            #expect(isRight, "\(attempt.fault)")
            _ = try local.lps(["rm", "\(key)"])
            #expect(try local.get(key) == nil, "\(attempt.fault), and then none")
            try expectWhole(other, content, attempt.fault)
        }
        try local.expectSound()
        try local.expectOnlyLeftovers()
    }

    @Test func `An export of which any system call fails says so, and its archive has whole payloads only`() throws {
        let contents = [randomPayload(70_000), randomPayload(2000)]
        let keys = try [local.put(contents[0], "a"), local.put(contents[1], "a"), local.put(contents[0], "b")]
        let output = local.folder.file("archive")
        let toFile = ["/bin/sh", "-c", "out=$1; shift; exec \"$@\" > \"$out\"", "sh", output]
        let other = try LocalStore()
        try tryFaults(["export"], turn: 3, wrapper: toFile) { attempt in
            let imported = try other.start(["import"], input: output)
            let isComplete = imported.wait() == 0
            #expect(isComplete || !attempt.isDone, "\(attempt.fault): \(imported.log)")
            for (key, content) in zip(keys, [contents[0], contents[1], contents[0]]) {
                let found = try other.get(key)
                let isRight = found == content || found == nil && !attempt.isDone
                // A name that the file system says is not there is left out, as one that is deleted meanwhile.
                #expect(isRight || attempt.fault.deniesAName, "\(attempt.fault)")
                try other.store.delete(key)
            }
        }
        try local.expectSound()
    }

    @Test func `An import of which any system call fails has stored whole payloads only, and says so`() throws {
        let other = try LocalStore()
        let contents = [randomPayload(70_000), randomPayload(2000)]
        let keys = try [other.put(contents[0], "a"), other.put(contents[1], "a"), other.put(contents[0], "b")]
        let exported = try other.start(["export"])
        #expect(exported.wait() == 0)
        func expectStored(_ fault: Fault, allowingNone: Bool) throws {
            for (key, content) in zip(keys, [contents[0], contents[1], contents[0]]) {
                let found = try local.get(key)
                let isRight = found == content || found == nil && allowingNone
                #expect(isRight, "\(fault)")
            }
        }
        try tryFaults(["import"], turn: 4, input: exported.logPath) {
            for key in keys { try local.store.delete(key) }
        } check: { attempt in
            try expectStored(attempt.fault, allowingNone: !attempt.isDone)
            #expect(try local.start(["import"], input: exported.logPath).wait() == 0, "\(attempt.fault), and then none")
            try expectStored(attempt.fault, allowingNone: false)
        }
        try local.expectSound()
        try local.expectOnlyLeftovers()
    }

    @Test func `An undeletion of which any system call fails loses nothing, and says so`() throws {
        let contents = [randomPayload(3000), randomPayload(2000)]
        let keys = try contents.map { try LocalStore.key($0, "a") }
        try tryFaults(["undelete"], turn: 5) {
            for (key, content) in zip(keys, contents) {
                if try local.store.trashed(key).isEmpty {
                    try local.put(content, "a")
                    try local.store.moveToTrash(key)
                }
            }
        } check: { attempt in
            for (key, content) in zip(keys, contents) {
                let trashed = try local.store.trashed(key).first
                let found = try local.get(key)
                #expect(found != nil || !attempt.isDone || attempt.fault.deniesAName, "\(attempt.fault)")
                let object = local.object(of: key.digest)
                let kept = try found ?? trashed.map { _ in try TestSupport.contents(of: object) }
                #expect(kept == content, "\(attempt.fault)")
            }
            #expect(try local.lps(["undelete"]).status == 0, "\(attempt.fault), and then none")
            for (key, content) in zip(keys, contents) { try expectWhole(key, content, attempt.fault) }
        }
        try local.expectSound()
        try local.expectOnlyLeftovers()
    }

    @Test func `A recount of which any system call fails says so, and what is counted is right`() throws {
        let namespace = try Namespace(validating: "a".utf8)
        for size in [100, 2000, 3000] { try local.put(randomPayload(size), "a") }
        // Lives through it, so that what was counted stays known.
        let witness = try DiskStore(
            path: local.path,
            reserve: 0,
            quota: { _ in 1 << 40 },
            logger: RecordedLog().logger
        )
        try tryFaults(["quota", "--recount", "--json"], turn: 6) {
            try witness.checkQuota(for: 1, as: LocalStore.key(randomPayload(1), "a"))
        } check: { attempt in
            #expect(!attempt.isDone || attempt.output.contains("\"used\":5100") || attempt.fault.deniesAName)
            // Known and right, or not known.
            let counted = try witness.recount(namespace)
            #expect(counted.before ?? 5100 == 5100 || attempt.fault.deniesAName, "\(attempt.fault): \(counted)")
            #expect(counted.now == 5100)
        }
    }

    @Test func `An init of which any system call fails says so, and the next one makes the store`() throws {
        try tryFaults(["init"], turn: 7) {
            try FileManager.default.removeItem(atPath: local.path)
        } check: { attempt in
            let again = try local.lps(["init"])
            #expect(again.status == 0, "\(attempt.fault): \(again.output)")
            let store = try DiskStore(path: local.path, reserve: 0, logger: RecordedLog().logger)
            try store.inspect { Issue.record("\(attempt.fault): \($0)") }
        }
    }

    @Test func `A repair of which any system call fails takes nothing that is right, and the next one mends the rest`()
        throws
    {
        let good = randomPayload(3000)
        let bad = randomPayload(2000)
        let goodKey = try LocalStore.key(good, "a")
        let badKey = try LocalStore.key(bad, "b")
        let stale = "\(local.path)/incoming/stale"
        try tryFaults(["scrub", "--repair"], turn: 8, succeeds: 1) {
            try local.put(good, "a")
            try local.put(bad, "b")
            try local.damage(badKey)
            try unlink(local.file(of: local.put(randomPayload(500), "a")))
            chmod(local.object(of: goodKey.digest), 0o644)
            try write([1], to: stale)
            let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
            utimes(stale, [old, old])
        } check: { attempt in
            try expectWhole(goodKey, good, attempt.fault)
            _ = try local.lps(["scrub", "--repair"])
            #expect(try local.get(badKey) == nil, "\(attempt.fault), and then none")
            // Its key stays until it is deleted, or its payload is uploaded again.
            try local.store.delete(badKey)
            let clean = try local.lps(["scrub"])
            #expect(clean.status == 0, "\(attempt.fault), and then none: \(clean.output)")
            try expectWhole(goodKey, good, attempt.fault)
        }
        try local.expectOnlyLeftovers()
    }
}
