import Foundation
import TestStores
import TestSupport
import Testing

/// The manual pages: the text generated from the commands' help, and the examples added to it.
@Suite(.serialized, .runLimit) struct ManualTests {
    private let local: TestStore
    private let settings: String

    init() throws {
        local = try TestStore()
        settings = local.folder.file("settings")
        try write("LPS_STORE=\(local.path)\nLPS_GC_OLDER_THAN=45d\n".utf8, to: settings)
    }

    @Test(arguments: ["lps", "lps-worker"])
    func `Help is ASCII, because the manual generator drops other characters`(tool: String) throws {
        let help = try run(Project.binary(tool), ["--experimental-dump-help"])
        #expect(help.status == 0 && help.output.utf8.count > 1000)
        let lost = help.output.unicodeScalars.filter { !$0.isASCII }
        #expect(lost.isEmpty, "\(String(String.UnicodeScalarView(lost)))")
    }

    /// A page's blocks of commands.
    private func examples(_ page: String) throws -> [String] {
        try Project.text("debian/manual/\(page)").components(separatedBy: ".Bd -literal -offset indent\n").dropFirst()
            .compactMap { $0.components(separatedBy: "\n.Ed").first }
    }

    /// The example with this test's folders, for the current user.
    private func here(_ example: String) -> String {
        let places = [
            ("runuser -u www-data -- ", ""), (" --owner www-data", ""), ("/var/lib/lps", local.path),
            ("/srv/lps", local.folder.file("other")), ("/etc/default/lps", settings),
            ("/run/lps", local.folder.file("run")), ("/etc/lps/policy.ini", local.folder.file("policy.ini")),
            (">/tmp/", ">\(local.folder.path)/"), ("</tmp/", "<\(local.folder.path)/"),
            ("chown www-data:www-data", "ls -d"),
        ]
        return places.reduce(example) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    @Test func `The examples of the lps manual page work as printed`() throws {
        #expect(try run(Project.binary("lps"), ["init", "--store", local.folder.file("other")]).status == 0)
        let blocks = try examples("lps.1")
        #expect(blocks.count == 5)
        let script = "export PATH=\(Project.binaries):$PATH\n" + blocks.map(here).joined(separator: "\n")
        let ended = try run("bash", ["-exc", script])
        #expect(ended.status == 0, "\(ended.output)")
        let copy = try Data(contentsOf: URL(fileURLWithPath: local.folder.file("hostname")))
        #expect(try copy == Data(contentsOf: URL(fileURLWithPath: "/etc/hostname")))
    }

    @Test func `The example of the lps-policy manual page works as printed`() throws {
        let blocks = try examples("lps-policy.5")
        #expect(blocks.count == 2)
        try write(blocks[0].utf8, to: local.folder.file("policy.ini"))
        for days in [44.0, 46] { _ = try local.put(randomPayload(100), "default", days: days) }
        let ended = try run("bash", ["-ec", "export PATH=\(Project.binaries):$PATH\n" + here(blocks[1])])
        #expect(ended.status == 0 && ended.output.contains("would delete 1 keys"), "\(ended.output)")
    }

    @Test func `The examples of the lps-worker manual page work as printed`() throws {
        let blocks = try examples("lps-worker.8").map(here)
        #expect(blocks.count == 2)
        let path = "export PATH=\(Project.binaries):$PATH\n"
        let check = try run("bash", ["-ec", path + blocks[0]])
        #expect(check.status == 0 && check.output == "lps-worker: the configuration is good\n", "\(check.output)")
        // The worker is the last command.
        let worker = try ChildProcess("bash", ["-ec", path + blocks[1]], log: local.folder.file("log"))
        try worker.waitUntilServing()
        try eventually("the worker serves the status page: \(worker.log)") {
            worker.log.contains("serving the pool's status page")
        }
    }
}
