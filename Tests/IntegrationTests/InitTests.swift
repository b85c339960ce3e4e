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

    private func initialise(_ options: String..., environment: [String: String] = [:]) throws
        -> (status: Int32, output: String)
    {
        try initialise(options, environment: environment)
    }

    private func initialise(_ options: [String], environment: [String: String] = [:]) throws
        -> (status: Int32, output: String)
    {
        let child = try ChildProcess(
            Project.binary("lps"),
            ["init"] + options,
            environment: environment,
            log: folder.file("output")
        )
        return (child.wait(), child.log)
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

    @Test func `A store is made where the environment says, and an option says it first`() throws {
        let environment = ["LPS_STORE": store]
        #expect(try initialise(environment: environment).status == 0)
        #expect(FileManager.default.fileExists(atPath: "\(store)/layout.json"))
        #expect(mode() == 0o750)
        let other = folder.file("other")
        #expect(try initialise("--store", other, environment: environment).status == 0)
        #expect(FileManager.default.fileExists(atPath: "\(other)/layout.json"))
        let nowhere = try initialise()
        #expect(nowhere.status == 64 && nowhere.output.contains("LPS_STORE"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root may give files away"))
    func `Root makes a store for another user, and may repeat it`() throws {
        let user = try #require(getpwnam("www-data")?.pointee)
        let options = ["--store", store, "--owner", "www-data", "--mode", "0710"]
        let made = try run(Project.binary("lps"), ["init"] + options)
        #expect(made.status == 0 && made.output == "made an empty store at \(store)\n")
        #expect(try strangers(owner: user.pw_uid, group: user.pw_gid) == [])
        #expect(mode() == 0o710)
        let again = try run(Project.binary("lps"), ["init"] + options)
        #expect(again.status == 0 && again.output == "there is a store at \(store)\n")
    }

    @Test(.enabled(if: geteuid() == 0, "only root may give files away"))
    func `A store of another owner, group or mode than asked for is told, and stays as it is`() throws {
        #expect(try initialise("--store", store, "--owner", "12345:54321").status == 0)
        for options in [["--owner", "12346:54321"], ["--owner", "12345:54322"], ["--mode", "700"]] {
            let refused = try run(Project.binary("lps"), ["init", "--store", store] + options)
            #expect(refused.status == 1)
            #expect(refused.output.contains("has mode 0750") || refused.output.contains("belongs to 12345:54321"))
        }
        #expect(try strangers(owner: 12345, group: 54321) == [])
        #expect(mode() == 0o750)
    }

    @Test(arguments: [
        ("--owner", "no-such-user"), ("--owner", "www-data:no-such-group"), ("--owner", ""), ("--owner", ":www-data"),
        ("--owner", "www-data:"), ("--owner", "4000000000"), ("--mode", "0777x"), ("--mode", "0800"),
        ("--mode", "1750"), ("--mode", "0550"), ("--mode", ""),
    ])
    func `An unknown owner, and a mode that would lock the owner out, make no store`(
        option: String,
        value: String
    ) throws {
        #expect(try initialise("--store", store, "\(option)=\(value)").status == 64)
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
        let arguments = ["--store", store] + (option.map { ["--mode", $0] } ?? [])
        #expect(try initialise(arguments).status == 0)
        #expect(mode() == expected)
        #expect(try initialise(arguments).status == 0)
        #expect(mode() == expected)
    }

    @Test func `What is in the way is named`() throws {
        mkdir(store, 0o755)
        try write([], to: "\(store)/something")
        let refused = try initialise("--store", store)
        #expect(refused.status == 1 && refused.output.contains("not empty: it has 'something'"))
        let orphan = try initialise("--store", "\(folder.path)/no/folder")
        #expect(orphan.status == 1 && orphan.output.contains("\(folder.path)/no/folder"))
    }
}
