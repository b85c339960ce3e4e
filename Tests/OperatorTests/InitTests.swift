import Foundation
import TestSupport
import Testing

/// `lps init` creates the folder that nginx and the workers share.
@Suite(.runLimit) struct InitTests {
    private let folder: TemporaryFolder
    private let store: String

    init() throws {
        folder = try TemporaryFolder()
        store = folder.file("store")
    }

    private func initialise(_ options: String...) throws -> Tool.Answer { try initialise(options) }

    private func initialise(_ options: [String]) throws -> Tool.Answer {
        try Tool(settings: ["LPS_STORE": store]).run(["init"] + options)
    }

    /// The store's paths whose owner or group is not the given one.
    private func strangers(owner: uid_t, group: gid_t) throws -> [String] {
        let names = [store] + (FileManager.default.enumerator(atPath: store)?.map { "\(store)/\($0)" } ?? [])
        try #require(names.count > 256)
        return names.filter { name in
            var status = stat()
            return lstat(name, &status) != 0 || status.st_uid != owner || status.st_gid != group
        }
    }

    private func mode() -> mode_t {
        var status = stat()
        return stat(store, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func `A store is created where the settings say, and --store overrides them`() throws {
        let made = try initialise()
        #expect(made.status == 0 && made.output == "created an empty store at \(store)\n" && made.errors.isEmpty)
        #expect(mode() == 0o750)
        let other = folder.file("other")
        #expect(try initialise("--store", other).output == "created an empty store at \(other)\n")
        let again = try initialise()
        #expect(again.status == 0 && again.output == "a store already exists at \(store)\n")
    }

    @Test(.enabled(if: geteuid() == 0, "only root can change a file's owner"))
    func `Root creates a store for another user; repeated with another owner, group or mode, init refuses`() throws {
        let user = try #require(getpwnam("www-data")?.pointee)
        let options = ["--owner", "www-data", "--mode", "0710"]
        #expect(try initialise(options).output == "created an empty store at \(store)\n")
        #expect(try initialise(options).output == "a store already exists at \(store)\n")
        let (uid, gid) = (user.pw_uid, user.pw_gid)
        for (options, reason) in [
            (["--owner", "12346:\(gid)"], "belongs to \(uid):\(gid)"),
            (["--owner", "\(uid):54322"], "belongs to \(uid):\(gid)"), (["--mode", "700"], "has mode 0710"),
        ] {
            let refused = try initialise(options)
            #expect(refused.status == 1 && refused.errors.contains(reason), "\(refused.errors)")
        }
        #expect(try strangers(owner: uid, group: gid) == [] && mode() == 0o710, "the store is unchanged")
    }

    @Test(arguments: [
        ("--owner", "no-such-user"), ("--owner", "www-data:no-such-group"), ("--owner", ""), ("--owner", ":www-data"),
        ("--owner", "www-data:"), ("--owner", "4000000000"), ("--mode", "0777x"), ("--mode", "0800"),
        ("--mode", "1750"), ("--mode", "0550"), ("--mode", ""),
    ])
    func `With an unknown owner, or a mode that locks the owner out, no store is created`(option: String, value: String)
        throws
    {
        #expect(try initialise("\(option)=\(value)").status == 64)
        #expect(!FileManager.default.fileExists(atPath: store))
    }

    /// initdb(1) does the same. Anyone may enter `mkdir /srv/lps`, or the root of a new file system.
    @Test(
        arguments: [
            (0o755, nil, 0o750), (0o777, nil, 0o750), (0o2775, nil, 0o2750), (0o700, nil, 0o700), (0o550, nil, 0o750),
            (0o700, "0711", 0o711), (0o777, "0755", 0o755),
        ] as [(mode_t, String?, mode_t)]
    )
    func `An existing empty folder is closed to others, unless --mode says otherwise`(
        found: mode_t,
        option: String?,
        expected: mode_t
    ) throws {
        mkdir(store, 0o700)
        chmod(store, found)
        for _ in 0..<2 {
            #expect(try initialise(option.map { ["--mode", $0] } ?? []).status == 0)
            #expect(mode() == expected)
        }
    }

    @Test func `An obstacle is named`() throws {
        mkdir(store, 0o755)
        try write([], to: "\(store)/something")
        let refused = try initialise()
        #expect(refused.status == 1 && refused.errors.contains("not empty: it contains 'something'"))
        let orphan = try initialise("--store", "\(folder.path)/no/folder")
        #expect(orphan.status == 1 && orphan.errors.contains("\(folder.path)/no/folder"))
    }
}
