import Foundation
import TestSupport
import Testing

/// nginx's configuration for buckets. Servers of the same nginx stand in for the worker and the engine, to produce
/// answers that a real engine can't be made to send.
@Suite(.serialized, .runLimit) struct EngineHandoverTests {
    private static let payload = Array("hello, engine".utf8)
    private static let digest = String(Stack.digest(payload).dropFirst("sha256:".count))
    private static let signature = "AWS4-HMAC-SHA256 Credential=key, Signature=0123456789abcdef"

    /// - Parameters:
    ///   - answer: nginx directives for the engine's answer.
    ///   - edit: an operator's changes to `s3.conf`.
    private func stack(_ answer: String, _ edit: (String) -> String = { $0 }) throws -> Stack {
        try Stack(nginx: { text in
            guard text.hasPrefix("daemon off;") else {
                // The cache's line contains the folder.
                let folder = text.components(separatedBy: "proxy_cache_path ").last?.components(separatedBy: "/cache ")[
                    0
                ]
                return edit(text).replacingOccurrences(
                    of: "# include lps/s3-http.conf;",
                    with: "include lps/s3-http.conf;"
                )
                .replacingOccurrences(of: "server 127.0.0.1:8333", with: "server unix:\(folder ?? "")/engine.sock")
            }
            // The pid's line contains the folder.
            let folder = text.components(separatedBy: "pid ")[1].components(separatedBy: "/nginx.pid")[0]
            let redirects = ["s3", "s3-ranges"].map { name in
                """
                location /\(name) {
                    add_header X-Accel-Redirect /lps-internal/\(name)/\(Self.digest);
                    add_header X-LPS-S3-Target /bucket//blobs/a%2520b;
                    add_header X-LPS-S3-Host engine.test;
                    add_header X-LPS-S3-Authorization "\(Self.signature)";
                    add_header X-LPS-S3-X-Amz-Date $arg_date;
                    add_header ETag '"sha256:\(Self.digest)"';
                    return 200;
                }
                """
            }.joined()
            let others = """
                log_format engine '$request_uri $http_host $http_authorization $http_range $http_cookie';
                server {
                    listen unix:\(folder)/worker.sock;
                    default_type application/octet-stream;
                    \(redirects)
                }
                server {
                    listen unix:\(folder)/engine.sock;
                    access_log \(folder)/engine.log engine;
                    location / { \(answer) }
                }
                """
            return text.replacingOccurrences(of: "include lps/site.conf;", with: "\(others)\ninclude lps/site.conf;")
                .replacingOccurrences(
                    of: "location / { include lps/error",
                    with: """
                        include lps/s3.conf;
                        location /s3 { proxy_pass http://unix:\(folder)/worker.sock; }
                        location / { include lps/error
                        """
                )
        })
    }

    private func engineLog(_ stack: Stack) -> [Substring] {
        let log = (try? String(contentsOfFile: stack.folder.file("engine.log"), encoding: .utf8)) ?? ""
        return log.split(separator: "\n")
    }

    @Test func `nginx sends the signed request once, and replaces the engine's headers`() throws {
        let stack = try stack("add_header x-amz-request-id 1; add_header ETag e; return 200 'hello, engine';")
        for _ in 0..<2 {
            let answer = try stack.request("GET", "/s3", ["Cookie": "a=b", "Authorization": "mine"])
            #expect(answer.status == 200)
            #expect(answer.body == Self.payload)
            #expect(answer.headers["content-type"] == "application/octet-stream")
            #expect(answer.headers["etag"] == "\"sha256:\(Self.digest)\"")
            #expect(answer.headers.keys.allSatisfy { !$0.hasPrefix("x-") }, "\(answer.headers)")
        }
        try eventually("the engine has logged a request") { !engineLog(stack).isEmpty }
        #expect(engineLog(stack) == ["/bucket//blobs/a%2520b engine.test \(Self.signature) - -"])
        let reloaded = try stack.request("GET", "/s3", ["Cache-Control": "no-cache"])
        #expect(reloaded.body == Self.payload)
        try eventually("the engine has logged a second request") { engineLog(stack).count == 2 }
    }

    /// Headers of an answer to a GET of an object, from engines and from proxies in front of them.
    private static let engineHeaders = [
        // AWS
        "x-amz-id-2", "x-amz-request-id", "x-amz-version-id", "x-amz-server-side-encryption", "x-amz-expiration",
        "x-amz-replication-status", "x-amz-storage-class", "x-amz-checksum-crc64nvme", "x-amz-checksum-type",
        // Backblaze
        "x-bz-file-id", "x-bz-file-name", "x-bz-content-sha1", "x-bz-upload-timestamp", "Strict-Transport-Security",
        // Ceph
        "x-rgw-object-type", "x-rgw-replicated-from", "Keep-Alive",
        // Cloudflare R2
        "CF-Ray", "CF-Cache-Status", "NEL", "Report-To", "Alt-Svc", "Server-Timing", "Age", "Via", "Priority",
        // Garage
        "Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
        // Google
        "x-goog-generation", "x-goog-hash", "x-goog-metageneration", "x-goog-stored-content-length",
        "x-goog-expiration", "x-goog-custom-time", "x-guploader-uploadid",
        // MinIO
        "X-Minio-Deployment-Id", "X-Minio-Error-Code", "X-Ratelimit-Limit", "X-Xss-Protection", "Vary",
        "X-Content-Type-Options", "Content-Security-Policy", "x-amz-bucket-region", "X-Cache",
        // OpenStack Swift
        "X-Trans-Id", "X-Openstack-Request-Id", "X-Timestamp", "X-Static-Large-Object", "X-Storage-Policy",
        // SeaweedFS, Wasabi, rclone, s3cmd
        "Seaweed-X-Amz-Owner", "X-Wasabi-CM-Reference-Id", "x-amz-meta-mtime", "x-amz-meta-s3cmd-attrs",
        // Any engine
        "Content-Disposition", "Content-Language", "Cache-Control", "Expires", "Pragma", "Set-Cookie", "X-Request-Id",
        "X-Powered-By", "Repr-Digest", "Link", "Content-MD5", "Trailer",
    ]

    @Test func `nginx drops all headers of any engine, and adds the operator's`() throws {
        let headers = Self.engineHeaders.map { "add_header \($0) engines;" }.joined(separator: " ")
        let stack = try stack("\(headers) return 200 'hello, engine';") { text in
            text.replacingOccurrences(
                of: "add_header Repr-Digest $lps_s3_repr_digest;",
                with: "add_header X-Frame-Options DENY; add_header Via mine;"
            )
        }
        let expected: Set = [
            "accept-ranges", "connection", "content-length", "content-type", "date", "etag", "server", "via",
            "x-frame-options",
        ]
        for target in ["/s3", "/s3-ranges"] {
            let answer = try stack.request("GET", target, ["Cache-Control": "no-cache"])
            #expect(answer.status == 200)
            #expect(Set(answer.headers.keys).symmetricDifference(expected) == [], "\(target)")
            #expect(!answer.headers.values.contains { $0.contains("engines") })
            #expect(answer.headers["via"] == "mine")
        }
        try eventually("the engine has logged both requests") { engineLog(stack).count == 2 }
    }

    @Test func `nginx passes on the range of an uncached payload, and does not cache the answer`() throws {
        let stack = try stack("return 200 'hello, engine';")
        let range = ["Range": "bytes=1-2"]
        for _ in 0..<2 { _ = try stack.request("GET", "/s3-ranges", range) }
        try eventually("the engine has logged two requests") { engineLog(stack).count == 2 }
        #expect(engineLog(stack).allSatisfy { $0.hasSuffix(" bytes=1-2 -") })
        #expect(try stack.request("GET", "/s3").status == 200)
        try stack.cacheEntries(1)
        let part = try stack.request("GET", "/s3-ranges", range)
        #expect(part.status == 206)
        #expect(part.text == "el")
        // From the cache, and bypassing it.
        for headers in [[:], ["Cache-Control": "no-cache"]] {
            let outside = ["Range": "bytes=99-"].merging(headers) { $1 }
            let answer = try stack.request("GET", "/s3", outside)
            expectError(answer, 416, "range is outside the payload", "outside")
            #expect(answer.headers["content-range"] == "bytes */13")
        }
        try eventually("the engine has logged the requests that bypass the cache") { engineLog(stack).count >= 4 }
        #expect(engineLog(stack).count == 4)
    }

    @Test func `Any other status of the engine is 503 with Retry-After`() throws {
        let statuses = [301, 400, 401, 403, 409, 429, 500, 502, 503, 504, 507, 520]
        let answers = statuses.map { "if ($http_x_amz_date = \($0)) { return \($0) '<Error/>'; }" }
        let stack = try stack(answers.joined(separator: " "))
        for status in statuses {
            for target in ["/s3", "/s3-ranges"] {
                let answer = try stack.request("GET", "\(target)?date=\(status)")
                expectError(answer, 503, "the storage engine does not answer as it should", "\(status)")
                #expect(answer.headers["retry-after"].flatMap { Int($0) } != nil)
            }
        }
        try eventually("the engine has logged every request") { engineLog(stack).count >= 2 * statuses.count }
    }

    @Test func `No log contains a signature, even if the engine closes the connection`() throws {
        let stack = try stack("return 444;")
        #expect(try stack.request("GET", "/s3").status == 503)
        let log = stack.folder.file("nginx-error.log")
        func lines() throws -> String { try String(contentsOfFile: log, encoding: .utf8) }
        try eventually("nginx logs the error") { try lines().contains("prematurely closed") }
        try eventually("the access is logged") { stack.accessLog.contains("status=503") }
        #expect(try !lines().contains("0123456789abcdef"))
        #expect(!stack.accessLog.contains("0123456789abcdef"))
    }
}
