import TestSupport
import Testing

@testable import PayloadService

/// The wire contract for unknown paths, health and probes.
@Suite(.runLimit) struct PathTests {
    @Test(arguments: Setup.disk) func `An unknown path is not found with any method`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup)
        for path in [
            "", "/", "/v2", "/v2/", "/v2/blobs", "/v2/blobs/put/", "/v1/blobs/put", "/V2/blobs/get", "/v2/health",
            "/v2/blobs/get/x", "/v2/blobs/get;x", "/internal/objects/00", "/lps/", "/lps/pings", "/lps/unwritten",
        ] {
            for method in ["GET", "PUT", "POST"] {
                expectRefusal(try fixture.ask(Asked(method, path)), 404, "unknown path '\(path)'", path)
            }
        }
        expectRefusal(try fixture.ask(Asked("GET", "/a\nb\0")), 404, "unknown path '/a\\nb\\0'")
    }

    @Test(arguments: Setup.all) func `A store that accepts uploads is healthy and ready`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        let health = try fixture.ask(Asked("HEAD", "/v2/health/head"))
        #expect(health.status == 200 && health.body.isEmpty)
        for method in ["GET", "HEAD"] {
            for (path, text) in [("/lps/ping", "pong\n"), ("/lps/ready", "ready\n")] {
                let answer = try fixture.ask(Asked(method, path))
                #expect(answer.status == 200)
                #expect(answer.text == text)
                #expect(answer.headers["Cache-Control"] == "no-store")
            }
        }
        for (path, allowed) in [("/v2/health/head", "HEAD"), ("/lps/ping", "GET"), ("/lps/ready", "GET")] {
            let answer = try fixture.ask(Asked("POST", path))
            expectRefusal(answer, 405, "method POST is not allowed, use \(allowed)", path)
            #expect(answer.headers["Allow"] == allowed)
        }
    }

    @Test(arguments: Setup.disk)
    func `Below its reserve a store is neither healthy nor ready, and the service still answers a ping`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup, reserve: .max)
        expectRefusal(try fixture.ask(Asked("HEAD", "/v2/health/head")), 503, "store has …")
        expectRefusal(try fixture.ask(Asked("GET", "/lps/ready")), 503, "store has …")
        #expect(fixture.log.text.contains("error store unhealthy"))
        #expect(try fixture.ask(Asked("GET", "/lps/ping")).status == 200)
    }

    @Test func `Only errors carry the web server's request ID`() throws {
        let fixture = try ServiceFixture()
        let refused = try fixture.ask(Asked("GET", "/x"), RequestTrace(id: bytes("abc")[...]))
        #expect(refused.headers["X-Request-Id"] == "abc")
        let taken = try fixture.ask(.put(helloWorld), RequestTrace(id: bytes("abc")[...]))
        #expect(taken.status == 201)
        #expect(taken.headers["X-Request-Id"] == nil)
    }

    @Test func `An answer's headers name the request's namespace and digest for the web server, if known`() throws {
        let fixture = try ServiceFixture()
        let taken = try fixture.ask(.put(helloWorld, namespace: "a b"))
        #expect(taken.headers["X-LPS-Namespace"] == "a%20b")
        #expect(taken.headers["X-LPS-Digest"] == helloWorldDigest)
        let refused = try fixture.ask(.put(helloWorld, namespace: "a b", digest: "x"))
        #expect(refused.headers["X-LPS-Namespace"] == "a%20b")
        #expect(refused.headers["X-LPS-Digest"] == nil)
    }
}
