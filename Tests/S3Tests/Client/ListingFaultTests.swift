import Foundation
import TestSupport
import Testing

@testable import S3

/// What an engine may answer to listings, and what is made of it.
struct ListingFaultTests {
    private let key = Array("/k".utf8)

    @Test func `A page that names no next one, or itself, ends the listing with an error`() throws {
        @Sendable func page(_ rest: String) -> ScriptedServer.Step {
            .answer(200, [], "<ListBucketResult><IsTruncated>true</IsTruncated>\(rest)</ListBucketResult>")
        }
        for rest in ["", "<NextContinuationToken>a</NextContinuationToken>"] {
            // Else a client that believes it would go on for ever.
            let server = try ScriptedServer { number, _ in number < 5 ? [page(rest)] : [.error(400, "Enough")] }
            #expect(try failure { try server.client().list(prefix: key) { _ in } }.code == .malformedAnswer)
            #expect(server.lines.count == (rest.isEmpty ? 1 : 2))
        }
    }

    @Test func `An engine that ignores the prefix is not believed`() throws {
        let entry =
            "<Contents><Key>other</Key><Size>1</Size><LastModified>2026-11-26T22:00:00Z</LastModified></Contents>"
        let server = try ScriptedServer(.answer(200, [], "<ListBucketResult>\(entry)</ListBucketResult>"))
        #expect(try failure { try server.client().list(prefix: key) { _ in } }.code == .malformedAnswer)
    }

    @Test func `A token that XML can't have is not used: the listing goes on behind the last key`() throws {
        @Sendable func page(_ key: String, _ token: String) -> ScriptedServer.Step {
            .answer(
                200,
                [],
                "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>\(!token.isEmpty)</IsTruncated>"
                    + "<Contents><Key>\(key)</Key><Size>1</Size><LastModified>2026-11-26T22:00:00Z</LastModified></Contents>"
                    + "<NextContinuationToken>\(token)</NextContinuationToken></ListBucketResult>"
            )
        }
        for (name, token, encoded) in [("\u{FFFE}", "\u{FFFE}", "%EF%BF%BE"), ("\u{1}", "&#x01;", "%01")] {
            let server = try ScriptedServer(page("%2Fk\(encoded)", "/k\(token)"), page("%2Fkz", ""))
            #expect(try server.client().keys(prefix: key) == ["/k\(name)", "/kz"].map { Array($0.utf8) })
            #expect(server.lines[1].contains("start-after=%2Fk\(encoded)"))
        }
    }

    @Test func `A page that fails is asked for again, and no object is visited twice`() throws {
        func page(_ key: String, _ token: String) -> ScriptedServer.Step {
            .answer(
                200,
                [],
                "<ListBucketResult><IsTruncated>\(token.isEmpty ? "false" : "true")</IsTruncated>"
                    + "<Contents><Key>\(key)</Key><Size>1</Size><LastModified>2026-11-26T22:00:00Z</LastModified></Contents>"
                    + "<NextContinuationToken>\(token)</NextContinuationToken></ListBucketResult>"
            )
        }
        let server = try ScriptedServer(page("/k1", "a+b"), .error(500, "InternalError"), page("/k2", ""))
        #expect(try server.client().keys(prefix: key) == ["/k1", "/k2"].map { Array($0.utf8) })
        #expect(server.lines[2] == server.lines[1])
        #expect(server.lines[2].contains("continuation-token=a%2Bb"))
    }
}
