import Foundation
import TestSupport
import Testing

/// `lps gc` with a policy.
@Suite(.serialized, .runLimit) struct RetentionPolicyTests {
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

    @Test func `A dry run shows what would go of each namespace, and on request each key`() throws {
        let policy = try stack.policy("[short]\nretention = 2d\n[long]\nretention = 30d")
        let gone = try [3, 9].map { try store(daysOld: $0, in: "short") } + [store(daysOld: 40, in: "long")]
        let kept = try store(daysOld: 20, in: "long")
        let shown = try stack.lps("gc", "--policy", policy, "--dry-run")
        let lines = shown.output.split(separator: "\n").map {
            $0.split(separator: " ", omittingEmptySubsequences: true)
        }
        #expect(lines.count == 4, "\(shown.output)")
        #expect(lines[0].starts(with: ["would", "delete", "3", "keys"]))
        #expect(lines[1].starts(with: ["NAMESPACE", "KEYS", "SIZE", "OLDEST"]))
        #expect(
            lines[2].starts(with: ["long", "1", "1000", "B"]) && lines[3].starts(with: ["short", "2", "2.0", "KiB"])
        )
        let oldest = Date(timeIntervalSinceNow: -9 * 86_400).ISO8601Format().prefix(10)
        #expect(lines[3][4].hasPrefix(oldest))

        let listed = try stack.lps("gc", "--policy", policy, "--dry-run", "--list")
        for key in gone { #expect(listed.output.contains("Z  \(key)\n")) }
        #expect(!listed.output.contains(kept) && listed.output.hasSuffix(shown.output))
        let json = try stack.lps("gc", "--policy", policy, "--dry-run", "--list", "--json")
        let rows = try json.output.split(separator: "\n").map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(Set(rows.compactMap { $0["key"] as? String }) == Set(gone))
        let sums = try #require(rows.last?["namespaces"] as? [[String: Any]])
        #expect(sums.compactMap { $0["namespace"] as? String } == ["long", "short"])
        #expect(sums.compactMap { $0["logicalBytes"] as? Int } == [1000, 2000])
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

    /// What a unit runs: its variables, and `lps` without a shell.
    private func runUnit(_ line: String, settings: String?) throws -> ChildProcess {
        let unit = try Project.text("systemd/lps-gc.service").split(separator: "\n")
        let command = try #require(unit.first { $0.hasPrefix("\(line)=") }).split(separator: "=", maxSplits: 1)[1]
        let words = command.split(separator: " ").map(String.init)
        #expect(words.first == "/usr/bin/lps")
        let environment = try #require(unit.first { $0.hasPrefix("Environment=") }).dropFirst("Environment=".count)
        var variables = ["LPS_STORE": stack.store]
        for assignment in environment.split(separator: " ") {
            let parts = assignment.split(separator: "=", maxSplits: 1).map(String.init)
            variables[parts[0]] = parts[1]
        }
        #expect(variables["LPS_CONFIG"] == "-/etc/default/lps")
        let config = stack.folder.file("settings-\(UUID().uuidString)")
        if let settings { try write(settings.utf8, to: config) }
        variables["LPS_CONFIG"] = "-\(config)"
        let child = try ChildProcess(
            Project.binary("lps"),
            Array(words.dropFirst()),
            environment: variables,
            log: stack.folder.file("lps-\(UUID().uuidString)")
        )
        child.wait()
        return child
    }

    @Test func `The unit's condition is what gc itself makes of the settings, in whatever form they are written`()
        throws
    {
        let ages = "\t[*]\n\tretention\t=\t45d ; longest run, and a week\n"
        let retention = try stack.policy(ages)
        let crlf = try stack.policy(ages.replacingOccurrences(of: "\n", with: "\r\n"))
        let quotas = try stack.policy("# retention = 45d\n[retention]\nquota = 1g\n")
        let wrong = try stack.policy("[*]\nretention = 45\n")
        let cases: [(settings: String?, condition: Int32, run: Int32)] = [
            (nil, 1, 64), ("", 1, 64), ("LPS_GC_OLDER_THAN=\n", 1, 64), ("LPS_GC_OLDER_THAN=45d\n", 0, 0),
            ("  LPS_GC_OLDER_THAN = '45d'\r\n", 0, 0), ("LPS_POLICY=\(retention)\n", 0, 0),
            ("LPS_POLICY=\"\(crlf)\"\n", 0, 0), ("LPS_POLICY=\(quotas)\n", 1, 64),
            ("LPS_POLICY=\(quotas)\nLPS_GC_OLDER_THAN=45d\n", 0, 0),
            // Skipped, these would look as if nothing were configured.
            ("LPS_POLICY=\(wrong)\n", 255, 78), ("LPS_POLICY=\n", 255, 78), ("LPS_POLICY=/nowhere\n", 255, 78),
            ("LPS_GC_OLDER_THAN=45\n", 255, 78), ("LPS_GC_OLDER_THAN=1h\n", 255, 64),
            ("LPS_GC_OLDER_THAN=45d\nLPS_GC_KEEP_TRASH=3\n", 255, 78), ("LPS_GC_OLDER_THAN\n", 255, 78),
        ]
        for (settings, condition, run) in cases {
            let key = try store(daysOld: 50, in: "ns")
            let checked = try runUnit("ExecCondition", settings: settings)
            #expect(checked.wait() == condition, "\(settings ?? "no file"): \(checked.log)")
            #expect(try isStored(key), "a check deletes nothing")
            let collected = try runUnit("ExecStart", settings: settings)
            #expect(collected.wait() == run, "\(settings ?? "no file"): \(collected.log)")
            #expect(try isStored(key) == (run != 0))
            if condition == 0 { #expect(checked.log.isEmpty) }
        }
    }

    @Test func `The settings of the timer are those of a command by hand: an age, the trash, and the store`() throws {
        let key = try store(daysOld: 50, in: "ns")
        let collected = try runUnit("ExecStart", settings: "LPS_GC_OLDER_THAN=45d\n")
        #expect(
            collected.log.hasPrefix("deleted 1 keys of 1000 B to the trash, 0 keys of the trash,"),
            "\(collected.log)"
        )
        #expect(try stack.lps("undelete", key).status == 0)
        let config = stack.folder.file("by-hand")
        try write("LPS_STORE=\(stack.store)\nLPS_GC_OLDER_THAN=45d\nLPS_GC_KEEP_TRASH=0d\n".utf8, to: config)
        func byHand(_ arguments: String...) throws -> ChildProcess {
            let child = try ChildProcess(
                Project.binary("lps"),
                arguments,
                // The file wins, as for workers.
                environment: ["LPS_CONFIG": config, "LPS_STORE": "/nowhere"],
                log: stack.folder.file("lps-\(UUID().uuidString)")
            )
            child.wait()
            return child
        }
        try stack.makeOld(key, seconds: 50 * 86_400)
        #expect(try byHand("gc", "--older-than", "60d", "--dry-run").log.hasPrefix("would delete 0 keys"))
        #expect(try byHand("gc").log.hasPrefix("deleted 1 keys of 1000 B, 0 keys of the trash,"))
        #expect(try byHand("ls").log.isEmpty)
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
