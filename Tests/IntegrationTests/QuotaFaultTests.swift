import DiskStore
import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

/// Whatever system call fails where a namespace has a quota: what is counted stays right, or is counted anew.
@Suite(.serialized, .runLimit) struct QuotaFaultTests {
    private let namespace: Namespace

    init() throws {
        namespace = try Namespace(validating: "a".utf8)
    }

    /// A store's user with a quota, who lives through it all, so that no count is made anew.
    private func witness(_ path: String) throws -> DiskStore {
        try DiskStore(path: path, reserve: 0, quota: { _ in 1 << 30 }, logger: RecordedLog().logger)
    }

    private func expectRight(_ witness: DiskStore, _ fault: Fault) throws {
        let counted = try witness.recount(namespace)
        // To whom the file system denies that there is a counter, nothing is to be counted.
        let isRight = counted.before ?? counted.now == counted.now
        #expect(isRight || fault.deniesAName, "\(fault): counted \(counted)")
    }

    @Test(arguments: Stack.Mode.allCases)
    func `An upload under a quota of which any system call fails is counted, or refused`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let policy = try stack.policy("[a]\nquota = 1g\n")
        let witness = try witness(stack.store)
        let victim = try Victim(stack, options: ["--policy", policy])
        #expect(try victim.put(randomPayload(1000), "a").status == 201)
        let trace = Tracer(stack.folder, nil)
        #expect(try trace.attached(to: victim.process) { try victim.put(randomPayload(2000), "a") }.status == 201)
        let ofCounts = TracedCall.parse(trace.take())
        var tried = 0
        var refused = 0
        let faults = Fault.few(ofCounts, each: 4, turn: mode == .plain ? 0 : 1)
        for fault in faults {
            let payload = randomPayload(3000)
            let tracer = Tracer(stack.folder, fault)
            let answer = try tracer.attached(to: victim.process) { try victim.put(payload, "a") }
            let injected = TracedCall.parse(tracer.take()).first { $0.line.contains("INJECTED") }
            guard let injected else { continue }
            tried += 1
            let fetched = try stack.get(Stack.key(of: payload, "a"), length: payload.count)
            let isTrue = fetched.body == payload || fetched.status == 404 && !answer.isTaken
            #expect(isTrue, "\(fault): \(answer)")
            if !answer.isTaken {
                refused += 1
                if injected.isOfFiles {
                    #expect(answer.isClearError && !fault.mustBeInvisible, "\(fault): \(answer)")
                }
            }
            try expectRight(witness, fault)
            #expect(try victim.put(payload, "a").isTaken, "\(fault), and then none")
            try expectRight(witness, fault)
        }
        #expect(victim.process.isRunning)
        print("uploads under a quota, \(mode): \(tried) faults, \(refused) refused")
        expectFaults(tried, of: faults, told: refused)
    }

    @Test(arguments: [
        ["gc", "--older-than", "2d"], ["gc", "--older-than", "2d", "--keep-trash", "1d"], ["rm", "key"],
    ])
    func `A deletion under a quota of which any system call fails is counted, or not made`(command: [String]) throws {
        let local = try LocalStore()
        let witness = try witness(local.path)
        let young = randomPayload(3000)
        let youngKey = try local.put(young, "a")
        let old = randomPayload(2000)
        let key = try LocalStore.key(old, "a")
        let arguments = command.map { $0 == "key" ? "\(key)" : $0 }
        func prepare() throws {
            try local.put(old, "a")
            try local.makeOld(key, days: 3)
            try witness.checkQuota(for: 1, as: LocalStore.key(randomPayload(1), "a"))
        }
        try prepare()
        let tracer = Tracer(local.folder, nil)
        #expect(try local.start(arguments, by: tracer.command).wait() == 0)
        let faults = Fault.few(TracedCall.onStore(tracer.take(), local.path), each: 2, turn: command.count)
        var tried = 0
        for fault in faults {
            try prepare()
            let tracer = Tracer(local.folder, fault)
            let child = try local.start(arguments, by: tracer.command)
            let status = child.wait()
            guard tracer.take().contains("INJECTED") else { continue }
            tried += 1
            #expect(
                status == 0 || status == 1 && (child.log.contains("rror") || child.log.contains("lps: ")),
                "\(fault)"
            )
            let found = try local.get(key)
            #expect(status != 0 || fault.deniesAName || found == nil, "\(fault): \(child.log)")
            try expectRight(witness, fault)
            let isWhole = try local.get(youngKey) == young
            #expect(isWhole, "\(fault)")
        }
        print("\(command) under a quota: \(tried) faults")
        expectFaults(tried, of: faults)
    }
}
