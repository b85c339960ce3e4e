import Foundation
import TestSupport
import Testing

@testable import S3

/// How the client handles an engine's answers to listings.
@Suite(.runLimit) struct ListingFaultTests {
    /// A page with one object. With a token, another page follows.
    private static func page(_ key: String, _ token: String) -> ScriptedServer.Step {
        .answer(
            200,
            [],
            "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>\(!token.isEmpty)</IsTruncated>"
                + "<Contents><Key>\(key)</Key><Size>1</Size><LastModified>2026-11-26T22:00:00Z</LastModified></Contents>"
                + "<NextContinuationToken>\(token)</NextContinuationToken></ListBucketResult>"
        )
    }

    @Test func `A listing fails if a page names no next one, or itself`() throws {
        for token in ["", "<NextContinuationToken>a</NextContinuationToken>"] {
            let body = "<ListBucketResult><IsTruncated>true</IsTruncated>\(token)</ListBucketResult>"
            // This ends a client that would otherwise repeat the page endlessly.
            let server = try ScriptedServer { number, _ in [number < 5 ? .answer(200, [], body) : .error(400, "Enough")]
            }
            #expect(try failure { try server.client().list(prefix: key("/k")) { _ in } }.code == .malformedAnswer)
            #expect(server.lines.count == (token.isEmpty ? 1 : 2))
        }
    }

    @Test func `A listing fails if the engine ignores the prefix`() throws {
        let server = try ScriptedServer(Self.page("other", ""))
        #expect(try failure { try server.client().list(prefix: key("/k")) { _ in } }.code == .malformedAnswer)
    }

    @Test func `A listing continues after the last key if XML can't represent the token`() throws {
        for (name, token, encoded) in [("\u{FFFE}", "\u{FFFE}", "%EF%BF%BE"), ("\u{1}", "&#x01;", "%01")] {
            let server = try ScriptedServer(Self.page("%2Fk\(encoded)", "/k\(token)"), Self.page("%2Fkz", ""))
            #expect(try server.client().keys(prefix: key("/k")) == ["/k\(name)", "/kz"].map(key))
            #expect(server.lines[1].contains("start-after=%2Fk\(encoded)"))
        }
    }

    @Test func `A failed page is retried, and no object is visited twice`() throws {
        let server = try ScriptedServer(
            Self.page("/k1", "a+b"),
            .error(500, "InternalError"),
            Self.page("/k2", "")
        )
        #expect(try server.client().keys(prefix: key("/k")) == ["/k1", "/k2"].map(key))
        #expect(server.lines[2] == server.lines[1])
        #expect(server.lines[2].contains("continuation-token=a%2Bb"))
    }
}
