import Foundation
import TestSupport
import Testing

/// `lps init`, which makes the folder that nginx and the workers share.
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

    /// Every owner, group and mode below the store that is not the given one.
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

    @Test func `A store is made where the settings say, and an option says it first`() throws {
        let made = try initialise()
        #expect(made.status == 0 && made.output == "created an empty store at \(store)\n" && made.errors.isEmpty)
        #expect(mode() == 0o750)
        let other = folder.file("other")
        #expect(try initialise("--store", other).output == "created an empty store at \(other)\n")
        let again = try initialise()
        #expect(again.status == 0 && again.output == "a store already exists at \(store)\n")
    }

    @Test(.enabled(if: geteuid() == 0, "only root may give files away"))
    func `Root makes a store for another user, and may repeat it; another owner, group or mode is told`() throws {
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
        #expect(try strangers(owner: uid, group: gid) == [] && mode() == 0o710, "it stays as it is")
    }

    @Test(arguments: [
        ("--owner", "no-such-user"), ("--owner", "www-data:no-such-group"), ("--owner", ""), ("--owner", ":www-data"),
        ("--owner", "www-data:"), ("--owner", "4000000000"), ("--mode", "0777x"), ("--mode", "0800"),
        ("--mode", "1750"), ("--mode", "0550"), ("--mode", ""),
    ])
    func `An unknown owner, and a mode that would lock the owner out, make no store`(option: String, value: String)
        throws
    {
        #expect(try initialise("\(option)=\(value)").status == 64)
        #expect(!FileManager.default.fileExists(atPath: store))
    }

    /// initdb(1) does the same; `mkdir /srv/lps`, or the root of a new file system, everybody may enter.
    @Test(
        arguments: [
            (0o755, nil, 0o750), (0o777, nil, 0o750), (0o2775, nil, 0o2750), (0o700, nil, 0o700), (0o550, nil, 0o750),
            (0o700, "0711", 0o711), (0o777, "0755", 0o755),
        ] as [(mode_t, String?, mode_t)]
    )
    func `An empty folder that is there is closed to others, unless the operator says otherwise`(
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

    @Test func `What is in the way is named`() throws {
        mkdir(store, 0o755)
        try write([], to: "\(store)/something")
        let refused = try initialise()
        #expect(refused.status == 1 && refused.errors.contains("not empty: it has 'something'"))
        let orphan = try initialise("--store", "\(folder.path)/no/folder")
        #expect(orphan.status == 1 && orphan.errors.contains("\(folder.path)/no/folder"))
    }
}
