import Foundation
import TestSupport
import Testing

@testable import S3

/// What an engine may answer to deletions, and what is made of it.
@Suite(.timeLimit(.minutes(2))) struct DeletionFaultTests {
    @Test func `Deletions go by thousands, with the checksum that every engine takes`() throws {
        let server = try ScriptedServer(.answer(200, [], "<DeleteResult/>"))
        let failed = try server.client().delete((0..<2500).map { key("/k\($0)") })
        #expect(failed.isEmpty)
        let counts = server.requests.map { $0.body.split(separator: key("<Object>")).count - 1 }
        #expect(counts == [1000, 1000, 500])
        for request in server.requests {
            #expect(request.line == "POST /bucket?delete=")
            #expect(request.headers["content-md5"]?.utf8.count == 24)
            #expect(request.headers["x-amz-checksum-sha256"] == nil)
        }
    }

    @Test func `What could not be deleted is named as it was asked, after what passes was tried again`() throws {
        let server = try ScriptedServer(
            .answer(200, [], "<Error><Code>InternalError</Code></Error>"),
            .answer(
                200,
                [],
                "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
                    + "<Error><Key>b</Key><Code>SlowDown</Code></Error>"
                    + "<Error><Key>/c</Key><Code>NoSuchKey</Code></Error></DeleteResult>"
            ),
            .answer(200, [], "<DeleteResult/>")
        )
        let failed = try server.client().delete(["/a", "/b", "/c"].map(key))
        #expect(failed.map(\.key) == [key("/a")])
        #expect(failed.map(\.error) == ["AccessDenied: no"])
        #expect(server.requests.count == 3)
        #expect(String(decoding: server.requests[2].body, as: UTF8.self).contains("<Key>/b</Key></Object></Delete>"))
    }

    @Test func `What still fails after all tries is among what could not be deleted`() throws {
        let server = try ScriptedServer { _, _ in
            [.answer(200, [], "<DeleteResult><Error><Key>/b</Key><Code>SlowDown</Code></Error></DeleteResult>")]
        }
        let failed = try server.client(limits: .impatient).delete(["/a", "/b"].map(key))
        #expect(failed.map(\.key) == [key("/b")])
    }

    // Ceph wants a permission for the bucket's ARN.
    @Test(arguments: [(501, "NotImplemented"), (405, "MethodNotAllowed"), (403, "AccessDenied")])
    func `An engine without batches, or that does not allow them, is asked key by key`(status: Int, code: String) throws
    {
        let server = try ScriptedServer { _, request in
            if request.method == "POST" { return [.error(status, code)] }
            return [request.target.hasSuffix("/denied") ? .error(403, "AccessDenied") : .send("HTTP/1.1 204 -\r\n\r\n")]
        }
        let client = try server.client()
        let failed = try client.delete(["/a", "/denied", "/b"].map(key))
        #expect(failed.map(\.key) == [key("/denied")])
        #expect(server.lines.dropFirst() == ["DELETE /bucket//a", "DELETE /bucket//denied", "DELETE /bucket//b"])
        let others = try client.delete(["/c", "/d"].map(key))
        #expect(others.isEmpty)
        #expect(server.lines.dropFirst(4) == ["DELETE /bucket//c", "DELETE /bucket//d"])
    }
}
