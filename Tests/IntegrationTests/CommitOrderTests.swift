import Foundation
import TestSupport
import Testing

/// The order of a commit's system calls, as strace(1) sees them.
@Suite(.serialized) struct CommitOrderTests {
    /// Stores a payload through a worker under strace, and gives the system calls from the request's arrival to its
    /// answer.
    private func traceUpload(times: Int, _ mode: Stack.Mode, namespace: String = "ns") throws -> [[String]] {
        let stack = try Stack(mode)
        let trace = stack.folder.file("trace")
        let calls = "read,recvfrom,fchmod,fdatasync,fsync,linkat,renameat,renameat2,utimensat,write,sendto,unlinkat"
        let arguments = [
            "-f", "-y", "-o", trace, "-e", "trace=\(calls)", Project.binary("lps-worker"), "--store", stack.store,
            "--threads", "1",
        ]
        let socket = stack.folder.file("traced.sock")
        let worker = try ChildProcess("strace", arguments + ["--listen", socket], log: stack.folder.file("strace.log"))
        try eventually("the traced worker serves: \(worker.log)") { worker.log.contains("msg=serving") }
        var uploads: [[String]] = []
        for _ in 0..<times {
            let before = try lines(trace).count
            let answer = try stack.putThroughFastCGI(Array("payload".utf8), namespace: namespace, socket)
            #expect(answer.hasPrefix("Status: 20"))
            try eventually("the answer is traced") {
                try lines(trace).dropFirst(before).contains { $0.contains("Status: 20") }
            }
            uploads.append(Array(try lines(trace).dropFirst(before)))
        }
        return uploads
    }

    private func lines(_ path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A file is on disk before a name leads to it, and its key's name before the answer`(mode: Stack.Mode) throws {
        let uploads = try traceUpload(times: 2, mode)
        let first = uploads[0]
        func index(_ what: String, _ matches: (String) -> Bool) throws -> Int {
            let index = first.firstIndex(where: matches)
            return try #require(index, "\(what) in \(first.joined(separator: "\n"))")
        }
        let sync = try index("the file's sync") { $0.contains("fdatasync(") && $0.contains("/incoming/") }
        let object = try index("the object's link") {
            $0.contains("linkat(") && $0.contains("/objects/") && !$0.contains("/keys/")
        }
        let key = try index("the key's link") { $0.contains("linkat(") && $0.contains("/keys/") }
        let keys = try index("the key folder's sync") {
            $0.contains("fsync(") && $0.range(of: "/keys/ns/common/[0-9a-f]{2}>", options: .regularExpression) != nil
        }
        let answer = try index("the answer") { $0.contains("Status: 201") }
        #expect(sync < object)
        #expect(object < key)
        #expect(key < keys)
        #expect(keys < answer)
        for folder in ["/objects>", "/keys>", "/keys/ns>", "/keys/ns/common>", "/store>"] {
            #expect(try index("the sync of \(folder)") { $0.contains("fsync(") && $0.contains(folder) } < answer)
        }
    }

    @Test(arguments: ["\u{301}x", "x\u{600}"])
    func `All folders above a key are synced, also where a namespace melts into a slash`(namespace: String) throws {
        let upload = try traceUpload(times: 1, .handover, namespace: namespace)[0]
        let answer = try #require(upload.firstIndex { $0.contains("Status: 201") })
        for folder in ["/objects>", "/keys>", "/store>"] {
            let sync = upload.firstIndex { $0.contains("fsync(") && $0.contains(folder) }
            #expect(try #require(sync, "\(folder): \(upload.joined(separator: "\n"))") < answer)
        }
    }

    @Test func `An upload that exists already answers only after its key's name and age are on disk`() throws {
        let second = try traceUpload(times: 2, .handover)[1]
        let answer = try #require(second.firstIndex { $0.contains("Status: 200") })
        let syncs = second.indices.filter { second[$0].contains("fsync(") }
        let renewal = try #require(second.firstIndex { $0.contains("utimensat(") })
        #expect(syncs.count == 2, "the key, and its folder: \(second.joined(separator: "\n"))")
        #expect(second[syncs[0]].contains("/keys/ns/common/") && second[syncs[0]].contains("."))
        #expect(syncs.allSatisfy { renewal < $0 && $0 < answer })
        #expect(!second.contains { $0.contains("linkat(") || $0.contains("fdatasync(") })
    }
}
