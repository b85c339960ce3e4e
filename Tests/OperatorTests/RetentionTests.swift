import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// The retention that `lps gc` applies: from the policy, the option or the settings.
@Suite(.runLimit) struct RetentionTests {
    private let disk: TestStore

    init() throws { disk = try TestStore(isInMemory: true) }

    private func put(_ namespace: String, days: Double) throws -> PayloadKey {
        try disk.put(randomPayload(1_000), namespace, days: days)
    }

    @Test func `A namespace's own retention applies to its keys, and --older-than to all others`() throws {
        let policy = try disk.policy("[short]\nretention = 2d\n[long]\nretention = 30d\n[quota]\nquota = 1g\n")
        let gone = try [put("short", days: 3), put("long", days: 31), put("quota", days: 11), put("any", days: 11)]
        let kept = try [put("short", days: 1), put("long", days: 29), put("quota", days: 9), put("any", days: 9)]
        let collected = try disk.lps("gc", "--policy", policy, "--older-than", "10d")
        #expect(collected.status == 0 && collected.errors.isEmpty)
        #expect(collected.output.hasPrefix("deleted \(gone.count) keys (3.9 KiB), swept 4 objects, "))
        #expect(try disk.keys() == Set(kept))
        let forAll = try disk.policy("[*]\nretention = 5d\n[short]\nretention = 2d")
        #expect(try disk.lps("gc", "--policy", forAll).output.hasPrefix("deleted 3 keys"), "all except the youngest")
    }

    @Test func `A namespace without a retention is left alone and named once`() throws {
        let policy = try disk.policy("[short]\nretention = 2d\n[kept]\nquota = 1g")
        let keys = Set(try ["kept", "kept", "other"].map { try put($0, days: 4_000) } + [put("short", days: 1)])
        let collected = try disk.lps("gc", "--policy", policy)
        #expect(collected.status == 0)
        let leftAlone =
            "lps: neither the policy nor --older-than sets an age for these namespaces, nothing in them is deleted: "
        #expect(collected.errors == "\(leftAlone)'kept', 'other'\n")
        #expect(try disk.lps("gc", "--policy", policy, "--namespace", "kept").errors == "\(leftAlone)'kept'\n")
        #expect(try disk.keys() == keys)
    }

    @Test func `Sections without a namespace in the store are named in one line`() throws {
        try disk.put([], "orders", days: 20)
        let policy = try disk.policy("[odrers]\nretention = 400d\n[none]\n[*]\nretention = 90d")
        let warning =
            "lps: the policy has sections for namespaces that the store does not have (misspelt?): 'none', 'odrers'\n"
        let dry = try disk.lps("gc", "--policy", policy, "--dry-run")
        #expect(dry.status == 0 && dry.errors == warning)
        #expect(try disk.lps("gc", "--policy", policy, "--prefix", "p").errors == warning)
        #expect(
            try disk.lps("gc", "--policy", policy, "--namespace", "orders").errors.isEmpty,
            "only 'orders' was listed"
        )
        let right = try disk.policy("[orders]\nretention = 400d\n[*]\nretention = 90d")
        #expect(try disk.lps("gc", "--policy", right).errors.isEmpty)
    }

    @Test func `The settings can name a policy, and --policy overrides them`() throws {
        let key = try put("ns", days: 3)
        let keeping = try disk.policy("[ns]\nretention = 4d")
        let deleting = ["LPS_POLICY": try disk.policy("[ns]\nretention = 2d")]
        #expect(try disk.lps(["gc"], settings: ["LPS_POLICY": keeping]).output.hasPrefix("deleted 0 keys"))
        #expect(try disk.lps(["gc", "--policy", keeping], settings: deleting).output.hasPrefix("deleted 0 keys"))
        #expect(try disk.keys() == [key])
        #expect(try disk.lps(["gc"], settings: deleting).output.hasPrefix("deleted 1 keys"))
    }

    // MARK: Refusals

    @Test func `An age under a day needs --force, and invalid options are refused`() throws {
        let key = try put("ns", days: 1.0 / 48)
        let hasty = try disk.policy("[elsewhere]\nretention = 23h\n[ns]\nretention = 2d")
        let refused: [([String], String)] = [
            ([], "--older-than (LPS_GC_OLDER_THAN) is required, or a policy that sets a retention"),
            (["--policy", try disk.policy("[*]\nquota = 1g")], "is required, because the policy sets no retention"),
            (["--older-than", "23h"], "--older-than 23h is under a day"),
            (["--policy", hasty], "the policy's retention 23h is under a day"),
            (["--older-than", "2d", "--max-share", "0"], "--max-share is 0"),
            (["--older-than", "2d", "--max-share", "101"], "--max-share is 101"),
            (["--older-than", "2d", "--namespace", ""], "--namespace ''"),
            (["--older-than", "2d", "--prefix", "a/.."], "'a/..' is not a valid prefix"),
        ]
        let nonsense = ["", "1", "d", "-1d", "1w", "1.5d", "99999999999999999999d"]
        for (options, reason) in refused + nonsense.map({ (["--older-than=\($0)"], "--older-than") }) {
            let answer = try disk.lps(["gc"] + options)
            #expect(answer.status == 64 && answer.errors.contains(reason), "\(options): \(answer.errors)")
        }
        #expect(try disk.lps("gc", "--older-than", "1h", "--force").status == 0)
        #expect(try disk.keys() == [key])
        #expect(try disk.lps("gc", "--policy", hasty, "--older-than", "1h", "--force").status == 0)
        #expect(try disk.keys() == [key])
        #expect(try disk.lps("gc", "--older-than", "20m", "--force").status == 0)
        #expect(try disk.keys().isEmpty)
    }

    @Test(arguments: ["gc", "quota"])
    func `An unusable policy or an empty path is refused in one line, and nothing is deleted`(
        command: String
    ) throws {
        try disk.put([], days: 50)
        let age = command == "gc" ? ["--older-than", "45d"] : []
        func refuses(_ options: [String], _ settings: [String: String] = [:], _ reason: String) throws {
            let answer = try disk.lps([command] + age + options, settings: settings)
            #expect(answer.status == 78 && answer.bytes.isEmpty)
            #expect(answer.errors.hasPrefix("lps: ") && answer.errors.contains(reason), "\(answer.errors)")
            #expect(answer.errors.split(separator: "\n").count == 1)
        }
        let wrong = try disk.policy("[ns]\nretention = 2")
        let keeping = try disk.policy("[ns]\nretention = 400d")
        try refuses(["--policy", wrong], [:], wrong)
        try refuses(["--policy", "/nowhere/policy"], [:], "/nowhere/policy")
        // As from a script's unset variable.
        try refuses(["--policy", ""], ["LPS_POLICY": keeping], "--policy is empty, expected a path")
        try refuses([], ["LPS_POLICY": ""], "LPS_POLICY is empty: set it to a path, or unset it")
        try refuses([], ["LPS_CONFIG": "/nowhere/settings"], "/nowhere/settings")
        #expect(try disk.lps([command] + age + ["--policy", keeping], settings: ["LPS_POLICY": ""]).status == 0)
        #expect(try disk.keys().count == 1)
    }

    // MARK: The timer's unit

    /// Runs a command of the timer's unit with the unit's variables and the given settings.
    private func unit(_ line: String, settings: String?) throws -> Tool.Answer {
        let unit = try Project.text("systemd/lps-gc.service").split(separator: "\n")
        func value(_ name: String) throws -> Substring {
            try #require(unit.first { $0.hasPrefix("\(name)=") }).dropFirst(name.utf8.count + 1)
        }
        let words = try value(line).split(separator: " ").map(String.init)
        #expect(words.first == "/usr/bin/lps")
        var variables: [String: String] = [:]
        for assignment in try value("Environment").split(separator: " ") {
            let parts = assignment.split(separator: "=", maxSplits: 1).map(String.init)
            variables[parts[0]] = parts[1]
        }
        #expect(variables["LPS_CONFIG"] == "-/etc/default/lps")
        let config = disk.folder.file("settings-\(UUID().uuidString)")
        if let settings { try write(settings.utf8, to: config) }
        variables["LPS_CONFIG"] = "-\(config)"
        variables["LPS_STORE"] = disk.path
        return try disk.lps(Array(words.dropFirst()), settings: variables)
    }

    @Test func `The unit's condition reads the settings as gc does, in every form they can be written`()
        throws
    {
        let ages = "\t[*]\n\tretention\t=\t45d ; longest run, and a week\n"
        let retention = try disk.policy(ages)
        let crlf = try disk.policy(ages.replacingOccurrences(of: "\n", with: "\r\n"))
        let quotas = try disk.policy("# retention = 45d\n[retention]\nquota = 1g\n")
        let wrong = try disk.policy("[*]\nretention = 45\n")
        let cases: [(settings: String?, condition: Int32, run: Int32)] = [
            (nil, 1, 64), ("", 1, 64), ("LPS_GC_OLDER_THAN=\n", 1, 64), ("LPS_GC_OLDER_THAN=45d\n", 0, 0),
            ("  LPS_GC_OLDER_THAN = '45d'\r\n", 0, 0), ("LPS_POLICY=\(retention)\n", 0, 0),
            ("LPS_POLICY=\"\(crlf)\"\n", 0, 0), ("LPS_POLICY=\(quotas)\n", 1, 64),
            ("LPS_POLICY=\(quotas)\nLPS_GC_OLDER_THAN=45d\n", 0, 0),
            // If these were skipped, a wrong configuration would look like none.
            ("LPS_POLICY=\(wrong)\n", 255, 78), ("LPS_POLICY=\n", 255, 78), ("LPS_POLICY=/nowhere\n", 255, 78),
            ("LPS_GC_OLDER_THAN=45\n", 255, 78), ("LPS_GC_OLDER_THAN=1h\n", 255, 64),
            ("LPS_GC_OLDER_THAN=45d\nLPS_GC_KEEP_TRASH=3\n", 255, 78), ("LPS_GC_OLDER_THAN\n", 255, 78),
        ]
        for (settings, condition, run) in cases {
            let name = settings ?? "no file"
            try disk.put([], days: 50)
            let checked = try unit("ExecCondition", settings: settings)
            #expect(checked.status == condition, "\(name): \(checked.errors)")
            #expect(checked.bytes.isEmpty && checked.errors.isEmpty == (condition == 0), "\(name)")
            #expect(try disk.keys().count == 1, "a check deletes nothing")
            let collected = try unit("ExecStart", settings: settings)
            #expect(collected.status == run, "\(name): \(collected.errors)")
            #expect(try disk.keys().isEmpty == (run == 0))
        }
    }

    @Test func `The timer's gc and one run by hand read the same settings`() throws {
        let key = try put("ns", days: 50)
        let collected = try unit("ExecStart", settings: "LPS_GC_OLDER_THAN=45d\n")
        #expect(collected.output.hasPrefix("deleted 1 keys (1000 B) to the trash, purged 0 keys,"))
        #expect(try disk.lps("undelete", "\(key)").status == 0)
        try disk.makeOld(key, days: 50)
        let config = disk.folder.file("by-hand")
        let settings = "LPS_STORE=\(disk.path)\nLPS_GC_OLDER_THAN=45d\nLPS_GC_KEEP_TRASH=0d\n"
        try write(settings.utf8, to: config)
        // The file overrides the environment, as for workers.
        let environment = ["LPS_CONFIG": config, "LPS_STORE": "/nowhere"]
        let dry = try disk.lps(["gc", "--older-than", "60d", "--dry-run"], settings: environment)
        #expect(dry.output.hasPrefix("would delete 0 keys"))
        let emptied = try disk.lps(["gc"], settings: environment)
        #expect(emptied.output.hasPrefix("deleted 1 keys (1000 B), purged 0 keys,"), "\(emptied.output)")
    }
}
