import Foundation
import TestSupport
import Testing

/// `lps gc` with a policy.
@Suite(.serialized) struct RetentionPolicyTests {
    private let stack: Stack

    init() throws {
        stack = try Stack()
    }

    private func isStored(_ key: String) throws -> Bool {
        try stack.lps("stat", key).status == 0
    }

    /// A payload of its own, last stored so many days ago.
    private func store(daysOld days: Int, in namespace: String) throws -> String {
        let key = try stack.store(randomPayload(1000), namespace: namespace)
        try stack.makeOld(key, seconds: days * 86_400)
        return key
    }

    @Test func `Each namespace's keys go at the age of its own`() throws {
        let policy = try stack.policy("[short]\nretention = 2d\n[long]\nretention = 30d\n[*]\nretention = 10d")
        let gone = try [store(daysOld: 3, in: "short"), store(daysOld: 31, in: "long"), store(daysOld: 11, in: "any")]
        let kept = try [store(daysOld: 1, in: "short"), store(daysOld: 29, in: "long"), store(daysOld: 9, in: "any")]
        #expect(try stack.lpsJSON("gc", "--policy", policy, "--dry-run")["keys"] as? Int == 3)
        #expect(try stack.lpsJSON("gc", "--policy", policy)["keys"] as? Int == 3)
        for key in gone { #expect(try !isStored(key)) }
        for key in kept { #expect(try isStored(key)) }
    }

    @Test func `Content that two namespaces share stays while one of them keeps it`() throws {
        let policy = try stack.policy("[short]\nretention = 2d\n[long]\nretention = 30d")
        let content = randomPayload(1000)
        let short = try stack.store(content, namespace: "short")
        let long = try stack.store(content, namespace: "long")
        try stack.makeOld(short, seconds: 3 * 86_400)
        let result = try stack.lpsJSON("gc", "--policy", policy)
        #expect(result["keys"] as? Int == 1)
        #expect(result["freedBytes"] as? Int == 0)
        #expect(try !isStored(short))
        #expect(try stack.get(long, length: 1000).body == content)
    }

    @Test func `A namespace without an age is left alone, and told of once`() throws {
        let policy = try stack.policy("[short]\nretention = 2d\n[kept]\nquota = 1g")
        let keys = try ["kept", "kept", "other"].map { try store(daysOld: 4000, in: $0) }
        let result = try stack.lps("gc", "--policy", policy)
        #expect(result.status == 0)
        let lines = result.output.split(separator: "\n").filter { $0.contains("left alone") }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("'kept'") == true && lines.first?.contains("'other'") == true)
        for key in keys { #expect(try isStored(key)) }
        #expect(try !stack.lps("gc", "--policy", policy, "--namespace", "kept").output.contains("other"))
    }

    @Test func `--older-than is for those to which the policy gives no age`() throws {
        let policy = try stack.policy("[long]\nretention = 30d\n[quota]\nquota = 1g")
        let kept = try store(daysOld: 20, in: "long")
        let gone = try [store(daysOld: 20, in: "quota"), store(daysOld: 20, in: "other")]
        let result = try stack.lps("gc", "--policy", policy, "--older-than", "10d")
        #expect(result.status == 0 && !result.output.contains("left alone"))
        #expect(try isStored(kept))
        for key in gone { #expect(try !isStored(key)) }
    }

    /// Runs `lps` with a policy that the environment names.
    private func lps(_ command: String, _ arguments: [String], policy: String) throws -> ChildProcess {
        let child = try ChildProcess(
            Project.binary("lps"),
            [command, "--store", stack.store] + arguments,
            environment: ["LPS_POLICY": policy],
            log: stack.folder.file("lps-\(UUID().uuidString)")
        )
        child.wait()
        return child
    }

    @Test func `The policy may be named by the environment, and --policy wins`() throws {
        let key = try store(daysOld: 3, in: "ns")
        func collect(_ arguments: [String], policy: String) throws -> ChildProcess {
            try lps("gc", arguments, policy: policy)
        }
        let keeping = try stack.policy("[ns]\nretention = 4d")
        let deleting = try stack.policy("[ns]\nretention = 2d")
        #expect(try collect([], policy: keeping).log.hasPrefix("deleted 0 keys"))
        #expect(try collect(["--policy", keeping], policy: deleting).log.hasPrefix("deleted 0 keys"))
        #expect(try collect([], policy: deleting).log.hasPrefix("deleted 1 keys"))
        #expect(try !isStored(key))
    }

    @Test func `Without any age nothing is deleted, and an age under a day needs force, also a policy's`() throws {
        let key = try store(daysOld: 3, in: "ns")
        #expect(try stack.lps("gc").status == 64)
        #expect(try stack.lps("gc", "--policy", stack.policy("[*]\nquota = 1g")).status == 64)
        let hasty = try stack.policy("[elsewhere]\nretention = 23h\n[ns]\nretention = 2d")
        let refused = try stack.lps("gc", "--policy", hasty)
        #expect(refused.status == 64 && refused.output.contains("23h is under a day"))
        #expect(try isStored(key))
        #expect(try stack.lps("gc", "--policy", hasty, "--force").status == 0)
        #expect(try !isStored(key))
    }

    @Test func `A policy that can't be used deletes nothing, and is told in one line`() throws {
        let key = try store(daysOld: 3, in: "ns")
        for policy in try [stack.policy("[ns]\nretention = 2"), "/nowhere/policy"] {
            let result = try stack.lps("gc", "--policy", policy, "--older-than", "1d")
            #expect(result.status == 78)
            #expect(result.output.contains(policy) && result.output.split(separator: "\n").count == 1)
        }
        #expect(try isStored(key))
    }

    @Test(arguments: ["gc", "quota"])
    func `A policy whose path is empty, as of a variable that is not set, is refused, and nothing is deleted`(
        command: String
    ) throws {
        let key = try store(daysOld: 50, in: "ns")
        let age = command == "gc" ? ["--older-than", "45d"] : []
        func refuses(_ child: ChildProcess, _ reason: String) {
            #expect(child.wait() == 78)
            #expect(child.log == "lps: \(reason)\n")
        }
        let keeping = try stack.policy("[ns]\nretention = 400d")
        try refuses(lps(command, age + ["--policy", ""], policy: keeping), "--policy is empty, expected a path")
        try refuses(lps(command, age, policy: ""), "LPS_POLICY is empty, expected a path, or to be unset")
        #expect(try lps(command, age + ["--policy", keeping], policy: "").wait() == 0)
        #expect(try isStored(key))
    }

    @Test func `Sections for which the store has no namespace are told of in one line`() throws {
        let key = try store(daysOld: 20, in: "orders")
        let policy = try stack.policy("[odrers]\nretention = 400d\n[none]\n[*]\nretention = 90d")
        let result = try stack.lps("gc", "--policy", policy, "--dry-run")
        #expect(result.status == 0)
        let lines = result.output.split(separator: "\n").filter { $0.contains("misspelt") }
        #expect(
            lines == [
                "lps: the policy has sections for namespaces that the store does not have, misspelt? 'none', 'odrers'"
            ]
        )
        let right = try stack.policy("[orders]\nretention = 400d\n[*]\nretention = 90d")
        #expect(try !stack.lps("gc", "--policy", right, "--dry-run").output.contains("misspelt"))
        #expect(try isStored(key))
    }
}
