import DiskStore
import Foundation
import Storage
import TestSupport
import Testing

/// Backups: a plain copy of a store's files is a store, and one of another format is refused.
@Suite(.serialized) struct CopiedStoreTests {
    @Test(arguments: [
        ["cp", "-r", "from", "to"], ["cp", "-a", "from", "to"], ["rsync", "-r", "from/", "to/"],
        ["rsync", "-a", "from/", "to/"], ["sh", "-c", "mkdir to && tar -cf - -C from . | tar -xf - -C to"],
    ])
    func `A plain copy of a store is a store`(command: [String]) throws {
        let stack = try Stack(.plain)
        let shared = randomPayload(5000)
        let keys = try [stack.store(shared), stack.store(shared, namespace: "other", prefix: "team/1b")]
        let old = try stack.store(randomPayload(100), namespace: "trashed")
        try stack.makeOld(old, seconds: 3 * 86_400)
        #expect(try stack.lps("gc", "--older-than", "2d", "--keep-trash", "3d").status == 0)

        let copy = stack.folder.file("copy")
        let replaced = command.map { word in
            word.replacingOccurrences(of: #"\bfrom\b"#, with: stack.store, options: .regularExpression)
                .replacingOccurrences(of: #"\bto\b"#, with: copy, options: .regularExpression)
        }
        let copied = try run("sh", ["-c", "umask 027; exec \"$@\"", "sh"] + replaced)
        try #require(copied.status == 0, "\(copied.output)")
        let scrub = try run(Project.binary("lps"), ["scrub", "--store", copy])
        #expect(scrub.status == 0, "\(scrub.output)")

        let victim = try Victim(stack, store: copy)
        for key in keys {
            let got = try victim.request(Stack.getParameters(key, length: shared.count))
            #expect(got.status == 200 && got.announced == shared.count, "\(got)")
        }
        #expect(try victim.put(shared, "default").status == 200, "it is there")
        #expect(try victim.put(randomPayload(100), "default").status == 201)
        let undeleted = try run(Project.binary("lps"), ["undelete", "--store", copy])
        #expect(undeleted.status == 0 && undeleted.output.hasPrefix("undeleted 1 keys"), "\(undeleted.output)")
        #expect(try run(Project.binary("lps"), ["gc", "--store", copy, "--older-than", "2d"]).status == 0)
        #expect(try run(Project.binary("lps"), ["scrub", "--store", copy]).status == 0)
    }

    @Test func `A store of format 1 is refused with a line that says how to move it`() throws {
        let local = try LocalStore()
        let layout = "\(local.path)/layout.json"
        let json = try String(contentsOfFile: layout, encoding: .utf8)
        #expect(json.contains("\"version\":2"))
        try json.replacingOccurrences(of: "\"version\":2", with: "\"version\":1")
            .write(toFile: layout, atomically: true, encoding: .utf8)
        let worker = try run(
            Project.binary("lps-worker"),
            ["--store", local.path, "--listen", local.folder.file("socket")]
        )
        #expect(worker.status == 78)
        let file = local.folder.file("file")
        try write([1], to: file)
        let tools = try [
            ["ls"], ["scrub"], ["scrub", "--repair"], ["gc", "--older-than", "2d"], ["put", file, "--namespace", "ns"],
            ["init"],
        ].map { try local.lps($0) }
        for result in [worker] + tools {
            #expect(result.status != 0)
            #expect(result.output.split(separator: "\n").count == 1, "\(result.output)")
            #expect(
                result.output.contains("has format version 1, this version reads version 2")
                    && result.output.contains("'lps export'"),
                "\(result.output)"
            )
        }
        #expect(files(below: local.path).allSatisfy { !$0.hasPrefix("objects/") && !$0.hasPrefix("incoming/") })
    }
}
