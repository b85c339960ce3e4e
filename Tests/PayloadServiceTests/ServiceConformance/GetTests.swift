import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import PayloadService

/// The wire contract's downloads: whole payloads, ranges and conditional requests.
@Suite(.runLimit) struct GetTests {
    private let tag = "\"\(helloWorldDigest)\""

    /// Returns a function that downloads a stored payload with a changed request.
    private func downloads(_ setup: Setup) throws -> ((inout Asked) -> Void) throws -> Answer {
        let fixture = try ServiceFixture(setup)
        let good = Asked.get(try fixture.store(helloWorld), length: 11)
        return { try fixture.ask(good.with($0)) }
    }

    @Test(arguments: Setup.all) func `A payload is sent with its digest and can be cached for a year`(setup: Setup)
        throws
    {
        let answer = try downloads(setup)({ _ in })
        #expect(answer.status == 200)
        #expect(answer.body == helloWorld)
        #expect(answer.headers["Content-Type"] == "application/octet-stream")
        #expect(answer.headers["ETag"] == tag)
        #expect(answer.headers["Repr-Digest"] == "sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:")
        let caching = setup.handover == .files ? "X-LPS-Cache-Control" : "Cache-Control"
        #expect(answer.headers[caching] == "private, max-age=31536000, immutable")
    }

    @Test(arguments: Setup.all) func `A key that the client percent-encoded twice is found`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        let key = try fixture.store(helloWorld, namespace: "a b+é%")
        for text in [key, Stack.escape(key)] {
            #expect(try fixture.ask(.get(text, length: 11)).body == helloWorld)
        }
        #expect(try fixture.ask(.get(Stack.escape(Stack.escape(key)), length: 11)).status == 404)
    }

    @Test(arguments: Setup.all) func `The first of two keys counts`(setup: Setup) throws {
        let get = try downloads(setup)
        #expect(try get { $0.query += "&key=x" }.body == helloWorld)
        #expect(try get { $0.query = "key=x&\($0.query)" }.status == 404)
    }

    @Test(arguments: Setup.all)
    func `A deleted payload is not found`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        let deleted = try fixture.store(helloWorld)
        try fixture.store.storage.remove(#require(PayloadKey(parsing: bytes(deleted))))
        expectRefusal(try fixture.ask(.get(deleted, length: 11)), 404, "blob not found")
    }

    // MARK: Ranges

    @Test(arguments: Setup.all)
    func `The service, or else the web server, answers a range with that part of the payload`(setup: Setup) throws {
        let get = try downloads(setup)
        for (field, part) in [
            ("bytes=6-", 6..<11), ("bytes=-5", 6..<11), ("bytes=0-0", 0..<1), ("bytes=2-4", 2..<5),
            ("bytes=5-100", 5..<11), ("bytes=-100", 0..<11), ("bytes=0-", 0..<11), ("bytes=10-", 10..<11),
            ("bytes=0-18446744073709551615", 0..<11),
        ] {
            let answer = try get { $0.headers.range = sent(field) }
            #expect(answer.headers["ETag"] == tag)
            switch setup.handover {
            case .files:
                #expect(answer.status == 200, "the web server applies the range")
                #expect(answer.body == helloWorld)
            case .streams:
                #expect(answer.status == 206)
                #expect(answer.body == Array(helloWorld[part]), "\(field)")
                #expect(answer.headers["Content-Range"] == "bytes \(part.lowerBound)-\(part.upperBound - 1)/11")
                #expect(answer.headers["Accept-Ranges"] == "bytes")
            }
        }
    }

    @Test(arguments: Setup.all)
    func `A range outside the payload is refused with 416 and the payload's size`(setup: Setup) throws {
        let get = try downloads(setup)
        for range in ["bytes=11-", "bytes=11-20", "bytes=-0"] {
            let answer = try get { $0.headers.range = sent(range) }
            expectRefusal(answer, 416, "range is outside the payload's 11 bytes", range)
            #expect(answer.headers["Content-Range"] == "bytes */11")
        }
        let fixture = try ServiceFixture(setup)
        let empty = try Asked.get(fixture.store([]), length: 0)
        for range in ["bytes=0-", "bytes=-1"] {
            let answer = try fixture.ask(empty.with { $0.headers.range = sent(range) })
            expectRefusal(answer, 416, "range is outside the payload's 0 bytes", range)
        }
    }

    @Test(arguments: Setup.all) func `Several ranges, or an invalid one, get the whole payload`(setup: Setup) throws {
        let get = try downloads(setup)
        for range in [
            "bytes=0-0,2-2", "bytes=5-3", "bytes=a-b", "lines=1-2", "bytes=", "bytes", "bytes=-", "bytes=+1-2",
            "", "bytes=99999999999999999999-", "bytes=0-99999999999999999999",
            "bytes=" + (0..<6000).map { "\($0)-\($0)" }.joined(separator: ","),
        ] {
            let answer = try get { $0.headers.range = sent(range) }
            #expect(answer.status == 200)
            #expect(answer.body == helloWorld, "\(range.prefix(40))")
            #expect(answer.headers["Content-Range"] == nil)
        }
    }

    // MARK: Tags

    @Test(arguments: Setup.all)
    func `If-None-Match avoids the download of a cached payload, also with a weak tag`(setup: Setup) throws {
        let get = try downloads(setup)
        for field in [tag, "*", "W/\(tag)", "\"other\", W/\(tag)", "\"other\"\t,\t\(tag)\t", " \(tag) "] {
            let answer = try get {
                $0.headers.ifNoneMatch = sent(field)
                // If-None-Match precedes Range (RFC 9110 section 13.2.2).
                $0.headers.range = sent("bytes=11-")
            }
            #expect(answer.status == 304, "\(field)")
            #expect(answer.body.isEmpty)
            #expect(answer.headers["ETag"] == tag)
            #expect(answer.headers["Cache-Control"] == "private, max-age=31536000, immutable")
        }
        for field in ["\"other\"", "W/\"other\"", helloWorldDigest, "", " , ", "\(tag) \"other\""] {
            #expect(try get { $0.headers.ifNoneMatch = sent(field) }.body == helloWorld, "\(field)")
        }
    }

    @Test(arguments: Setup.all) func `If-Match refuses other payloads and weak tags`(setup: Setup) throws {
        let get = try downloads(setup)
        for field in [tag, "*", "\"other\" , \(tag)", " \(tag) "] {
            #expect(try get { $0.headers.ifMatch = sent(field) }.body == helloWorld, "\(field)")
        }
        for field in ["W/\(tag)", "\"other\"", helloWorldDigest, "", " , ", "\(tag) \"other\""] {
            let answer = try get { $0.headers.ifMatch = sent(field) }
            expectRefusal(answer, 412, "the payload's tag is \(tag)", field)
        }
    }

    @Test func `If-Range returns the range only if it names this payload's tag`() throws {
        for setup in Setup.all where setup.handover == .streams {
            let get = try downloads(setup)
            for (field, status) in [
                (tag, 206), ("\"other\"", 200), ("W/\(tag)", 200), ("*", 200), ("Fri, 01 Jan 2100 00:00:00 GMT", 200),
            ] {
                let answer = try get {
                    $0.headers.range = sent("bytes=6-")
                    $0.headers.ifRange = sent(field)
                }
                #expect(answer.status == status, "\(field)")
                #expect(answer.text == (status == 206 ? "world" : "hello world"))
            }
        }
    }
}
