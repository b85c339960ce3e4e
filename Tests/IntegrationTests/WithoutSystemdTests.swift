import Foundation
import TestSupport
import Testing

/// `docs/without-systemd.md` as printed, with other paths, and with `nobody` as the user `lps`.
@Suite(.serialized, .runLimit) struct WithoutSystemdTests {
    private static let guide = "docs/without-systemd.md"

    /// The blocks of a language in one section.
    private func section(_ name: String, _ language: String = "sh") throws -> [String] {
        try Project.blocks(language, in: Self.guide, section: name)
    }

    /// The text with paths in a folder, into which it installs programs that every user can start.
    private func local(_ text: String, _ folder: TemporaryFolder) throws -> String {
        for name in ["lps", "lps-worker"] where access(folder.file("bin/\(name)"), X_OK) != 0 {
            try requireDone("install", ["-D", "-m", "0755", Project.binary(name), folder.file("bin/\(name)")])
        }
        var text = text
        for (shown, here) in [
            ("/run/lps/pool", folder.file("pool")), ("/run/lps/", folder.path + "/"),
            ("/var/lib/lps", folder.file("store")), ("/var/log/lps", folder.file("log")),
            ("/usr/bin/lps-worker", folder.file("bin/lps-worker")), ("--owner lps", "--owner nobody"),
            ("-u lps -g lps", "-u nobody -g nogroup"), ("-o lps -g lps", "-o nobody -g nogroup"),
        ] {
            text = text.replacingOccurrences(of: shown, with: here)
        }
        return text
    }

    /// Runs the lines of a block, except `apt-get` and `useradd`, and starts its last line as a process.
    private func start(_ block: String, _ folder: TemporaryFolder, log: String = "pool.log") throws -> ChildProcess {
        let all = try local(block, folder).split(separator: "\n").map(String.init)
        let last = try #require(all.last)
        let path = "PATH=\(folder.file("bin")):$PATH; "
        for line in all.dropLast() where !line.hasPrefix("apt-get") && !line.hasPrefix("useradd") {
            try requireDone("sh", ["-c", path + line])
        }
        return try ChildProcess("sh", ["-c", "exec env \(last)"], log: folder.file(log))
    }

    private func expectPayloads(_ server: OtherWebServer) throws {
        let payload = randomPayload(3_000_000)
        let put = try server.put(payload)
        #expect(put.status == 201, "\(put.text)")
        #expect(try server.put(payload).status == 200)
        #expect(try server.get(Stack.key(put), length: payload.count).body == payload)
        #expect(try server.put(payload, digest: helloWorldDigest).status == 400)
    }

    /// Kills one worker after the other, more than multiwatch tolerates without its options.
    private func expectDeathsAreOutlived(_ multiwatch: ChildProcess) throws {
        for _ in 0..<16 {
            try eventually("four workers run") { try multiwatch.children().count == 4 }
            let victim = try #require(try multiwatch.children().first)
            kill(victim, SIGKILL)
            try eventually("the dead worker is gone") { try !multiwatch.children().contains(victim) }
        }
        try eventually("four workers run") { try multiwatch.children().count == 4 }
        #expect(multiwatch.isRunning)
    }

    @Test func `Every documented multiwatch command outlives its workers`() throws {
        let documents = try FileManager.default.contentsOfDirectory(atPath: "\(Project.root)/docs")
            .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        var lines = 0
        for document in documents + ["README.md", "nginx/run-local"] {
            for line in try Project.text(document).split(separator: "\n") where line.contains("--forks=") {
                lines += 1
                let hasOptions = line.contains(" --retry=1000000 --timeout=1000 ")
                #expect(hasOptions, "\(document): \(line)")
            }
        }
        #expect(lines >= 4)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `A multiwatch pool survives sixteen killed workers, and SIGTERM ends all of it`() throws {
        let block = try #require(try section("A pool").first)
        let server = try OtherWebServer(
            .nginx,
            pool: { folder in
                try requireDone(
                    Project.binary("lps"),
                    ["init", "--store", folder.file("store"), "--owner", "www-data"]
                )
                return try start(block, folder)
            }
        )
        try expectPayloads(server)
        try expectDeathsAreOutlived(server.worker)
        try expectPayloads(server)
        let last = try server.worker.children()
        server.worker.signal(SIGTERM)
        server.worker.wait()
        for worker in last { #expect(kill(worker, 0) != 0) }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `Workers serve an nginx of another user, and no one else can reach their socket`() throws {
        let block = try #require(try section("Workers as another user than the web server's").first)
        let server = try OtherWebServer(.nginx, pool: { try start(block, $0) })
        try expectPayloads(server)
        let socket = try FileManager.default.attributesOfItem(atPath: server.folder.file("lps.sock"))
        #expect(socket[.posixPermissions] as? Int == 0o660)
        #expect(socket[.ownerAccountName] as? String == "www-data")
        #expect(socket[.groupOwnerAccountName] as? String == "www-data")
        for worker in try server.worker.children() {
            let owner = try FileManager.default.attributesOfItem(atPath: "/proc/\(worker)")[.ownerAccountName]
            #expect(owner as? String == "nobody")
        }
        let objects = files(below: "\(server.store)/objects")
        #expect(objects.count == 1)
        for object in objects {
            let owner = try FileManager.default.attributesOfItem(atPath: "\(server.store)/objects/\(object)")
            #expect(owner[.ownerAccountName] as? String == "nobody")
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `runit restarts a pool that ends, keeps its log, and stops it`() throws {
        let scripts = try section("Supervised by runit").filter { $0.hasPrefix("#!/bin/sh") }
        try #require(scripts.count == 2)
        let server = try OtherWebServer(
            .nginx,
            pool: { folder in
                try requireDone(
                    Project.binary("lps"),
                    ["init", "--store", folder.file("store"), "--owner", "nobody"]
                )
                try requireDone("install", ["-d", folder.file("log"), folder.file("sv/log")])
                for (script, name) in zip(scripts, ["sv/run", "sv/log/run"]) {
                    try local(script, folder).write(toFile: folder.file(name), atomically: true, encoding: .utf8)
                    try requireDone("chmod", ["+x", folder.file(name)])
                }
                return try ChildProcess("runsv", [folder.file("sv")], log: folder.file("runsv.log"))
            }
        )
        let service = server.folder.file("sv")
        // runsv's children run in sessions of their own.
        defer { _ = try? run("sv", ["-w", "60", "exit", service]) }
        func multiwatch() throws -> pid_t? {
            let text = try? String(contentsOfFile: "\(service)/supervise/pid", encoding: .utf8)
            return text.flatMap { pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        }
        try expectPayloads(server)
        let first = try #require(try multiwatch())
        kill(first, SIGTERM)
        try eventually("another pool runs") { try multiwatch().map { $0 != first } == true }
        try eventually("the new pool serves") { try server.request("HEAD", "/v2/health/head").status == 200 }
        try expectPayloads(server)
        try requireDone("sv", ["-w", "60", "stop", service])
        #expect(try server.request("HEAD", "/v2/health/head").status == 503)
        try requireDone("sv", ["-w", "60", "exit", service])
        server.worker.wait()
        let log = try String(contentsOfFile: server.folder.file("log/current"), encoding: .utf8)
        #expect(log.contains("msg=serving"), "\(log)")
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `The crontab's commands print nothing unless something is wrong`() throws {
        let folder = try TemporaryFolder()
        try requireDone("chmod", ["0711", folder.path])
        let crontab = try local(#require(try section("Collection and scrubs by cron", "cron").first), folder)
        let lines = crontab.split(separator: "\n").dropFirst()
        try #require(lines.count == 2)
        for line in lines { #expect(line.split(separator: " ")[5] == "lps", "the user") }
        // The part that cron passes to sh, after the times and the user.
        let commands = lines.map { $0.split(separator: " ", maxSplits: 6).last.map(String.init) ?? "" }
        func output(_ command: String) throws -> String {
            try run(
                "setpriv",
                ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh", "-c", command],
                environment: ["PATH": "\(folder.file("bin")):/usr/bin:/bin"]
            ).output
        }
        let store = folder.file("store")
        try requireDone(Project.binary("lps"), ["init", "--store", store, "--owner", "nobody"])
        let payload = folder.file("payload")
        try write(randomPayload(3_000_000), to: payload)
        try requireDone("chmod", ["0644", payload])
        #expect(try output("lps put --store \(store) --namespace default \(payload)").hasPrefix("/blobs/default/"))
        for command in commands { #expect(try output(command).isEmpty, "\(command)") }

        let object = try #require(files(below: "\(store)/objects").first)
        let damaged = try FileHandle(forUpdating: URL(fileURLWithPath: "\(store)/objects/\(object)"))
        try damaged.write(contentsOf: [0, 1, 2, 3])
        try damaged.close()
        let scrub = try output(commands[1])
        #expect(scrub.hasPrefix("lps scrub: status 1: "), "\(scrub)")
        #expect(scrub.contains("damaged: "), "\(scrub)")
        // Puts the store's clock ahead of the system's.
        try requireDone("touch", ["-d", "2100-01-01", "\(store)/clock"])
        let collection = try output(commands[0])
        #expect(collection.hasPrefix("lps gc: status 1: "), "\(collection)")
        #expect(collection.contains("the system clock says "), "\(collection)")
    }

    @Test func `The status page answers the allowed machine and refuses others`() throws {
        let block = try #require(try section("The status page for another machine", "nginx").first)
        let port = try freePort()
        let text = block.replacingOccurrences(of: "192.0.2.10:8579", with: "127.0.0.2:\(port)")
            .replacingOccurrences(of: "127.0.0.1:8579", with: "127.0.0.1:\(port)")
            .replacingOccurrences(of: "192.0.2.20", with: "127.0.0.3")
        let stack = try Stack(nginx: {
            $0.replacingOccurrences(of: "include lps/site.conf;", with: "include lps/site.conf;\n\(text)")
        })
        defer { withExtendedLifetime(stack) {} }
        func ask(_ listening: String, from address: String) throws -> String {
            let url = "http://\(listening):\(port)/lps/status?openmetrics"
            return try run("curl", ["-s", "--interface", address, "-w", "\n%{http_code}", url]).output
        }
        try eventually("the page is served") { try ask("127.0.0.1", from: "127.0.0.1").hasSuffix("# EOF\n\n200") }
        #expect(try ask("127.0.0.2", from: "127.0.0.3").hasSuffix("# EOF\n\n200"))
        #expect(try ask("127.0.0.2", from: "127.0.0.4").hasSuffix("\n403"))
    }
}
