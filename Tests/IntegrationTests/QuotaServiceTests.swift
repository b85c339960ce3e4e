import DiskStore
import Foundation
import Logging
import PayloadKey
import Storage
import TestSupport
import Testing

/// Quotas of a running service.
@Suite(.serialized, .runLimit) struct QuotaServiceTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// A service whose namespace `ns` may have so many bytes.
    private func stack(quota: Int, workers: Int = 1, _ mode: Stack.Mode = .handover) throws -> Stack {
        let policy = folder.file("policy")
        try write("[ns]\nquota = \(quota)\n".utf8, to: policy)
        return try Stack(mode, workers: workers, options: ["--policy", policy])
    }

    private func used(_ stack: Stack) throws -> UInt64 {
        let row = try stack.lpsJSON("quota", "--namespace", "ns")
        return UInt64(try #require(row["used"] as? Int))
    }

    /// The sizes of the contents that the keys of `ns` name.
    private func walked(_ stack: Stack) -> UInt64 {
        stack.keys.filter { $0.hasPrefix("keys/ns/") }.reduce(0) { sum, path in
            let digest = path.split(separator: "/").last?.prefix(64) ?? ""
            var status = stat()
            let isThere = lstat("\(stack.store)/objects/\(digest.prefix(2))/\(digest)", &status) == 0
            return isThere ? sum + UInt64(status.st_size) : sum
        }
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Uploads that are refused leave nothing behind, whatever namespaces they name`(mode: Stack.Mode) throws {
        let policy = folder.file("policy")
        try write("[*]\nquota = 10000\n".utf8, to: policy)
        let stack = try Stack(mode, options: ["--policy", policy])
        for number in 0..<10 {
            #expect(try stack.put([1], namespace: "\(number)", digest: Stack.digest([2])).status == 400)
            #expect(try stack.put(randomPayload(10_001), namespace: "\(number)").status == 507)
        }
        #expect(files(below: "\(stack.store)/usage") == ["epoch"])
        #expect(stack.tree.isEmpty)
        _ = try stack.store(randomPayload(10_000), namespace: "0")
        #expect(try stack.put([1], namespace: "0").status == 507)
    }

    @Test func `Three workers together never take more than the quota`() throws {
        let quota = 200_000
        let stack = try stack(quota: quota, workers: 3)
        let (taken, refused) = (Counter(), Counter())
        try concurrently(9) { _ in
            for _ in 0..<20 {
                let size = Int.random(in: 500...3_000)
                let answer = try stack.put(randomPayload(size), namespace: "ns")
                switch answer.status {
                case 201: taken.add(size)
                case 507: refused.add()
                // Only the first uploads can meet the count.
                default: #expect(answer.status == 503 && answer.text.contains("being counted"))
                }
            }
        }
        #expect(taken.value <= quota && taken.value > quota - 3_000, "\(taken.value)")
        #expect(refused.value > 20)
        #expect(walked(stack) == UInt64(taken.value))
        #expect(try used(stack) == UInt64(taken.value))
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Workers killed again and again under load count right`(mode: Stack.Mode) throws {
        let quota = 2_000_000
        let stack = try stack(quota: quota, workers: 3, mode)
        let log = folder.file("rm")
        // Lives through it, so that no count is made anew: what is counted at the end is what was counted meanwhile.
        let witness = try DiskStore(path: stack.store, reserve: 0, logger: RecordedLog().logger)
        let namespace = try Namespace(validating: "ns".utf8)
        _ = try stack.store([1], namespace: "ns")
        #expect(try witness.usage(of: namespace) == 1)
        let (done, taken, deleted) = (Counter(), Counter(), Counter())
        try concurrently(8) { index in
            if index == 7 {
                defer { done.add() }
                for _ in 0..<20 {
                    usleep(UInt32.random(in: 5_000...40_000))
                    if let victim = stack.workers.first { stack.stop(victim, SIGKILL) }
                    try stack.startWorkers(1)
                }
                return
            }
            if index == 6 {
                // Deletions beside them, which are killed, too.
                while done.value == 0 {
                    let keys = stack.keys.filter { $0.hasPrefix("keys/ns/") }.shuffled().prefix(3)
                    for path in keys {
                        guard let name = path.split(separator: "/").last?.split(separator: ".") else { continue }
                        let key = "/blobs/ns/common/sha256:\(name[0])/sha256:\(name[1])"
                        let child = try ChildProcess(
                            Project.binary("lps"),
                            ["rm", "--store", stack.store, key],
                            log: log
                        )
                        if Bool.random() {
                            usleep(UInt32.random(in: 0...15_000))
                            child.signal(SIGKILL)
                        }
                        if child.wait() == 0 { deleted.add() }
                    }
                }
                return
            }
            while done.value == 0 {
                do {
                    let answer = try stack.put(randomPayload(Int.random(in: 100...20_000)), namespace: "ns")
                    if answer.status == 201 { taken.add() }
                    // 200: nginx has given it to the next worker, and the first had it stored when it died.
                    #expect([200, 201, 503, 507].contains(answer.status), "\(answer.status) \(answer.text)")
                } catch is HTTPConnection.Broken {
                    continue
                }
            }
        }
        #expect(taken.value > 50 && deleted.value > 5, "\(taken.value), \(deleted.value)")
        #expect(walked(stack) <= UInt64(quota))
        #expect(try witness.usage(of: namespace) == walked(stack))
        #expect(try witness.recount(namespace).before == walked(stack), "it is a count, not a walk")
    }

    @Test func `A policy that is read again counts at once, and one that can't be used changes nothing`() throws {
        let stack = try stack(quota: 1_000)
        #expect(try stack.put(randomPayload(1_001), namespace: "ns").status == 507)
        func reload(_ policy: String, _ says: String) throws {
            try write(policy.utf8, to: folder.file("policy"))
            stack.workers[0].signal(SIGHUP)
            try eventually("the worker says \(says)") { stack.workerLog.contains(says) }
        }
        try reload("[ns]\nquota = lots\n", "the configuration stays as it was")
        #expect(try stack.put(randomPayload(1_001), namespace: "ns").status == 507)
        try reload("[ns]\nquota = 2000\n", "the configuration was read again")
        #expect(try stack.put(randomPayload(1_001), namespace: "ns").status == 201)
        #expect(try stack.put(randomPayload(1_000), namespace: "ns").status == 507)
    }

    @Test func `A worker does not start with a policy that can't be used`() throws {
        for text in ["[ns]\nquota = lots\n", nil] {
            let policy = folder.file("policy-\(text == nil)")
            if let text { try write(text.utf8, to: policy) }
            let worker = try run(
                Project.binary("lps-worker"),
                ["--store", folder.path, "--listen", folder.file("s"), "--policy", policy]
            )
            #expect(worker.status == 78)
            #expect(worker.output.contains(policy) && worker.output.split(separator: "\n").count == 1)
        }
    }
}
