import DiskStore
import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

/// `lps` killed at any moment leaves a sound store, and another run finishes what it began.
@Suite(.serialized, .runLimit) struct KilledToolTests {
    private let local: LocalStore

    init() throws {
        local = try LocalStore()
    }

    /// The system calls before which it is killed. Between two of them nothing changes the store, so a kill before one
    /// stands for those at all calls since the last.
    static let calls = ["flock", "unlinkat"]

    /// Which of a command's calls of one kind: a collection and a count make hundreds that are alike, one for each shard.
    private static let occurrences =
        TracedCall.isEveryOneTried ? Array(1...2000) : Array(1...20) + stride(from: 30, through: 2000, by: 41)

    @Test(arguments: calls + ["syncfs"])
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
        for occurrence in Self.occurrences {
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
        print("collections, \(call): killed at \(kills) points")
        #expect(kills >= 1 && kills < Self.occurrences.count, "it was killed at \(kills) calls")
        // All deletions are made durable at once, when they are made.
        let isDeletionsCall = call != "syncfs"
        #expect(!isDeletionsCall || killsBetweenDeletions >= 3, "\(killsBetweenDeletions) between two deletions")
    }

    /// Whether a key is there, or can be restored.
    private func isKept(_ key: PayloadKey, _ content: [UInt8]) throws -> Bool {
        if try local.get(key) == content { return true }
        guard let trashed = try local.store.trashed(key).first else { return false }
        return try contents(of: local.object(of: trashed.stored.key.digest)) == content
    }

    @Test(arguments: calls + ["renameat", "mkdirat", "fsync"])
    func `A collection into the trash killed before any system call loses nothing that is not purged`(call: String)
        throws
    {
        let collect = ["gc", "--older-than", "2d", "--keep-trash", "1d"]
        let garbage = [("a", randomPayload(1000)), ("a", randomPayload(2000)), ("b", randomPayload(3000))]
        var kills = 0
        var killsBetweenMoves = 0
        for occurrence in Self.occurrences {
            let keys = try garbage.map { try local.put($0.1, $0.0) }
            for key in keys { try local.makeOld(key, days: 3) }
            let expired = try local.put(randomPayload(500), "a")
            try local.store.moveToTrash(expired, now: time(nil) - 2 * 86_400)

            let isKilled = try local.isKilled(collect, before: call, occurrence)
            let left = try keys.filter { try local.get($0) != nil }.count
            if isKilled {
                kills += 1
                if 0 < left, left < keys.count { killsBetweenMoves += 1 }
            }
            for (key, (_, content)) in zip(keys, garbage) { #expect(try isKept(key, content)) }
            try local.expectSound()

            #expect(try local.lps(collect).status == 0)
            #expect(try local.keys().isEmpty)
            #expect(try local.store.trashed(expired).isEmpty)
            #expect(try local.objects() == Set(garbage.map { Digest(of: $0.1) }))
            #expect(try local.lps(["undelete"]).status == 0)
            #expect(try local.keys() == Set(keys))
            // So that the next round makes the trash anew.
            #expect(try local.lps(["gc", "--older-than", "2d", "--keep-trash", "0d"]).status == 0)
            #expect(try run("rm", ["-r", "\(local.path)/trash"]).status == 0)
            guard isKilled else { break }
        }
        print("collections into the trash, \(call): killed at \(kills) points")
        #expect(kills >= 3 && kills < Self.occurrences.count, "it was killed at \(kills) calls")
        // Names go by purges, before the first move, and with the barrier and the folders that are empty, after the last.
        let isMovesCall = call != "unlinkat"
        #expect(!isMovesCall || killsBetweenMoves >= 2, "\(killsBetweenMoves) between the first move and the last")
    }

    @Test(arguments: ["flock", "renameat", "utimensat", "mkdirat", "fsync"])
    func `An undeletion killed before any system call loses nothing`(call: String) throws {
        let garbage = [("a", randomPayload(1000)), ("a", randomPayload(2000)), ("b", randomPayload(3000))]
        var kills = 0
        var killsBetweenKeys = 0
        for occurrence in Self.occurrences {
            let keys = try garbage.map { try local.put($0.1, $0.0) }
            for key in keys {
                try local.makeOld(key, days: 3)
                try local.store.moveToTrash(key)
            }
            try local.store.removeEmptyFolders()

            let isKilled = try local.isKilled(["undelete"], before: call, occurrence)
            let back = try keys.filter { try local.get($0) != nil }
            if isKilled {
                kills += 1
                if 0 < back.count, back.count < keys.count { killsBetweenKeys += 1 }
            }
            for (key, (_, content)) in zip(keys, garbage) { #expect(try isKept(key, content)) }
            // What is back is no garbage.
            #expect(try local.lps(["gc", "--older-than", "2d"]).status == 0)
            #expect(try local.keys() == Set(back))
            try local.expectSound()

            #expect(try local.lps(["undelete"]).status == 0)
            #expect(try local.keys() == Set(keys))
            for (key, (_, content)) in zip(keys, garbage) {
                #expect(try local.get(key) == content)
                #expect(try local.store.trashed(key).isEmpty)
                try local.store.delete(key)
            }
            guard isKilled else { break }
        }
        print("undeletions, \(call): killed at \(kills) points")
        #expect(kills >= 3 && kills < Self.occurrences.count, "it was killed at \(kills) calls")
        #expect(killsBetweenKeys >= 1, "of them \(killsBetweenKeys) between the first key and the last")
    }

    /// What is done to a store, each in a process that is killed.
    static let changes = [
        ["put", "file", "--namespace", "a"], ["gc", "--older-than", "2d"],
        ["gc", "--older-than", "2d", "--keep-trash", "3d"], ["undelete"], ["quota", "--recount"],
    ]

    @Test(arguments: changes)
    func `What a namespace uses is right after a kill before any system call`(change: [String]) throws {
        // Lives through it, so that no count is made anew.
        let witness = try DiskStore(
            path: local.path,
            reserve: 0,
            quota: { _ in 1 << 40 },
            logger: RecordedLog().logger
        )
        let namespace = try Namespace(validating: "a".utf8)
        // A collection takes its last key, and then its counter.
        let emptied = try Namespace(validating: "emptied".utf8)
        // So that the other one has one that stays.
        try local.put(randomPayload(50), "a")
        let garbage = [randomPayload(1000), randomPayload(2000), randomPayload(3000)]
        let trashed = [randomPayload(100), randomPayload(200)]
        let file = local.folder.file("file")
        let arguments = change.map { $0 == "file" ? file : $0 }
        var kills = 0
        for call in ["flock", "pread64", "pwrite64", "linkat", "unlinkat", "renameat", "ftruncate", "fsync"] {
            for occurrence in Self.occurrences {
                try write(randomPayload(500), to: file)
                for content in garbage { try local.makeOld(local.put(content, "a"), days: 3) }
                for content in trashed { try local.store.moveToTrash(local.put(content, "a")) }
                try local.makeOld(local.put(randomPayload(300), "emptied"), days: 3)
                try witness.checkQuota(for: 1, as: try LocalStore.key(randomPayload(1), "emptied"))
                // A count that was killed is made again by who has a quota.
                try witness.checkQuota(for: 1, as: try LocalStore.key(randomPayload(1), "a"))

                let isKilled = try local.isKilled(arguments, before: call, occurrence)
                if isKilled { kills += 1 }
                try witness.checkQuota(for: 1, as: try LocalStore.key(randomPayload(1), "a"))
                let walked = try local.size(of: namespace)
                let recounted = try witness.recount(namespace)
                #expect(recounted.before == walked && recounted.now == walked, "\(call) \(occurrence)")
                let left = try local.size(of: emptied)
                let uncounted = try witness.recount(emptied)
                #expect(uncounted.before ?? left == left && uncounted.now == left, "\(call) \(occurrence)")
                guard isKilled else { break }
            }
        }
        print("counts, \(change): killed at \(kills) points")
        #expect(kills >= 6, "it was killed at \(kills) calls")
    }
}
