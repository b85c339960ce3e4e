import Foundation
import PayloadKey
import PayloadStore
import TestSupport
import Testing

/// `lps` killed at any moment leaves a sound store, and another run finishes what it began.
@Suite(.serialized) struct KilledToolTests {
    private let local: LocalStore

    init() throws {
        local = try LocalStore()
    }

    /// The system calls before which it is killed. Between two of them nothing changes the store, so a kill before one
    /// stands for those at all calls since the last.
    static let calls = ["flock", "fsync", "unlinkat"]

    @Test(arguments: calls)
    func `A collection killed before any system call loses nothing that is to stay`(call: String) throws {
        let policy = local.folder.file("policy")
        try write("[a]\nretention = 2d\n[b]\nretention = 2d\n[long]\nretention = 400d".utf8, to: policy)
        let collect = ["gc", "--policy", policy]
        let young = (payload: randomPayload(3000), namespace: "a")
        let youngKey = try local.put(young.payload, young.namespace)
        let shared = randomPayload(4000)
        let garbage = [randomPayload(1000), randomPayload(2000)]
        var kills = 0
        var killsBetweenDeletions = 0
        for occurrence in 1...2000 {
            let garbageKeys = try [
                local.put(garbage[0], "a"), local.put(garbage[1], "a"), local.put(garbage[1], "b", prefix: "p/q"),
                local.put(shared, "b"),
            ]
            let longKey = try local.put(shared, "long")
            // The object of a payload that was never answered.
            let orphan = try local.put(randomPayload(500), "b")
            #expect(try unlink(local.file(of: orphan)) == 0)
            for key in garbageKeys { try local.makeOld(key, days: 3) }

            let isKilled = try local.isKilled(collect, before: call, occurrence)
            let left = try garbageKeys.filter { try local.get($0) != nil }.count
            if isKilled {
                kills += 1
                if 0 < left, left < garbageKeys.count { killsBetweenDeletions += 1 }
            } else {
                #expect(left == 0)
            }
            #expect(try local.get(youngKey) == young.payload)
            #expect(try local.get(longKey) == shared)
            try local.expectSound()

            #expect(try local.lps(collect).status == 0)
            #expect(try local.keys() == [youngKey, longKey])
            #expect(try local.objects() == [Digest(of: young.payload), Digest(of: shared)])
            guard isKilled else { break }
        }
        #expect(kills >= 4 && kills < 2000, "it was killed at \(kills) calls")
        #expect(killsBetweenDeletions >= 3, "of them \(killsBetweenDeletions) between the first deletion and the last")
    }
}
