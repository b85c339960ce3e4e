import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// `lps copy` to a bucket, run as a process.
@Suite(.serialized, .runLimit) struct BucketToolTests {
    @Test func `A killed copy continues where it stopped`() throws {
        let engine = try TestEngine.shared
        let local = try TestStore()
        for _ in 0..<300 { try local.put(randomPayload(20_000), "ns") }
        let bucket = engine.storeURL(prefix: UUID().uuidString)
        let environment = engine.environment.merging(["TMPDIR": local.folder.path]) { $1 }
        func lps(_ arguments: String...) throws -> (status: Int32, output: String) {
            try run(Project.binary("lps"), arguments, environment: environment)
        }
        func keys() throws -> Set<String> {
            let listed = try lps("ls", "--store", bucket).output.split(separator: "\n")
            return Set(listed.compactMap { $0.split(separator: " ").last.map(String.init) })
        }

        let victim = try ChildProcess(
            Project.binary("lps"),
            ["copy", local.path, bucket, "--parallel", "2"],
            environment: environment,
            log: local.folder.file("victim")
        )
        try eventually("some keys are copied") { try !keys().isEmpty }
        victim.signal(SIGKILL)
        #expect(victim.wait() == -SIGKILL, "\(victim.log)")
        // The engine completes requests that the killed process has sent.
        var before: Set<String> = []
        try eventually("no more keys appear") {
            let last = before
            before = try keys()
            usleep(300_000)
            return before == last
        }
        #expect((1..<300).contains(before.count))

        let result = try lps("copy", local.path, bucket, "--json")
        #expect(
            result.output == "{\"bytes\":\(20_000 * (300 - before.count)),\"copied\":\(300 - before.count),"
                + "\"failed\":0,\"present\":\(before.count)}\n"
        )
        #expect(try keys() == Set(local.keys().map(\.description)))
        #expect(try lps("scrub", "--store", bucket).status == 0)
    }
}
