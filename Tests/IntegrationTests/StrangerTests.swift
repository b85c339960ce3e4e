import Foundation
import TestSupport
import Testing

/// Other users of the machine, and symbolic links planted in the store.
@Suite(.serialized, .runLimit, .enabled(if: geteuid() == 0, "only root can become another user"))
struct StrangerTests {
    private let content = randomPayload(10_000)

    /// Runs a program as a user without any role in the service.
    private func asStranger(_ program: String, _ arguments: [String]) throws -> String {
        let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", program]
        return try run("setpriv", user + arguments).output
    }

    /// The paths that the stranger can see and read or write.
    private func openToStrangers(_ paths: [String]) throws -> [String] {
        let found = try asStranger("find", paths + ["(", "-readable", "-o", "-writable", ")", "-print"])
        return found.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("find: ") }.sorted()
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Another user of the machine can't read, write or reach any part of the service`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        chmod(stack.folder.path, 0o755)
        let pool = stack.folder.file("pool")
        let socket = stack.folder.file("own.sock")
        let worker = try ChildProcess(
            Project.binary("lps-worker"),
            ["--store", stack.store, "--listen", socket, "--runtime-dir", pool],
            log: stack.folder.file("own.log")
        )
        try eventually("the worker serves: \(worker.log)") { worker.log.contains("msg=serving") }
        let metadata = #"{"remote-codec/key-prefix":"dGVhbQ=="}"#
        for metadata in ["{}", metadata] { #expect(try stack.put(content, metadata: metadata).status == 201) }
        #expect(try stack.codec("encode", JSONPayloads([JSONPayload(randomPayload(200_000))]).json).status == 200)
        try stack.expectNothingIncoming()

        #expect(try openToStrangers([stack.store, pool, socket]) == [pool])
        let ownFiles = Set(try FileManager.default.contentsOfDirectory(atPath: pool))
        #expect(ownFiles.contains("status.sock") && ownFiles.count > 1)
        // The root's mode is not the only protection: an operator may open it.
        chmod(stack.store, 0o755)
        #expect(try openToStrangers([stack.store, pool, socket]) == [pool, stack.store].sorted())
        let lax = try run("find", [stack.store, "-mindepth", "1", "-perm", "/o=rwx", "-o", "-perm", "/g=w"])
        #expect(lax.output == "")
        // The search does find readable files.
        let planted = "\(stack.store)/planted"
        try write(content, to: planted)
        chmod(planted, 0o604)
        #expect(try openToStrangers([stack.store]) == [stack.store, planted])
        worker.signal(SIGTERM)
        #expect(worker.wait() == 0)
    }

    @Test func `A symbolic link in place of a key or an object never reveals its target`() throws {
        let stack = try Stack()
        let secret = stack.folder.file("secret")
        let hidden = [UInt8](repeating: UInt8(ascii: "s"), count: content.count)
        try write(hidden, to: secret)
        let key = try Stack.key(stack.put(content))
        let paths = stack.tree.map { "\(stack.store)/\($0)" }
        let keyPath = try #require(paths.first { $0.contains("/keys/") })
        let objectPath = try #require(paths.first { $0.contains("/objects/") })
        for path in [keyPath, objectPath] {
            unlink(path)
            symlink(secret, path)
        }
        let got = try stack.get(key, length: content.count)
        expectError(got, 500, nil, "a download")
        let tool = try run(Project.binary("lps"), ["get", "--store", stack.store, key])
        #expect(tool.status != 0)
        #expect(!tool.output.contains("sss"))
        // An upload of the same content neither writes through the links nor makes a key of their target.
        let put = try stack.put(content, namespace: "other")
        #expect(put.status == 201)
        #expect(try stack.get(Stack.key(put), length: content.count).body == content)
        #expect(try contents(of: secret) == hidden)
        try stack.expectNothingIncoming()
    }
}
