import Foundation
import TestSupport
import Testing

/// How nginx identifies tenants, with the configuration of `docs/tenants.md` as printed. `NamespaceAccessTests` covers
/// what a tenant can access.
@Suite(.serialized, .runLimit) struct TenantTests {
    private let content = Array("what orders keeps to itself".utf8)
    private let noPayloads = Array(#"{"payloads":[]}"#.utf8)

    private func expectForbidden(
        _ answer: HTTPAnswer,
        _ namespace: String,
        _ who: String?,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let message = "namespace '\(namespace)' is not allowed for this caller"
        expectError(answer, 403, message, "\(who ?? "nobody"): \(namespace)", sourceLocation: sourceLocation)
    }

    @Test func `Only a certificate gives access to namespaces, and only to those listed for its subject`() throws {
        let tenants = try Tenants()
        for (tenant, namespace) in [("orders", "orders"), ("orders", "orders-test"), ("billing", "billing")] {
            let put = try tenants.put(content, namespace: namespace, as: tenant)
            #expect(put.status == 201, "\(namespace): \(put.text)")
            #expect(try tenants.get(Stack.key(put), content.count, as: tenant).body == content)
        }
        let stack = tenants.stack
        let files = stack.tree
        let key = try Stack.key(tenants.put(content, namespace: "orders", as: "orders"))
        func expectNothing(_ caller: String?, _ namespaces: [String] = ["orders", "*"]) throws {
            for namespace in namespaces {
                let put = try tenants.put(Array("x".utf8), namespace: namespace, as: caller)
                expectForbidden(put, namespace, caller)
            }
            for text in [key, Stack.escape(key)] {
                expectForbidden(try tenants.get(text, content.count, as: caller), "orders", caller)
            }
            for (path, headers) in [
                ("orders/decode", [:]), ("orders/encode", [:]), ("encode", ["X-Namespace": "orders"]),
            ] {
                let answer = try tenants.request("POST", "/codec/\(path)", headers, as: caller, body: noPayloads)
                expectForbidden(answer, "orders", caller)
            }
            #expect(
                try tenants.request("HEAD", "/v2/health/head", as: caller).status == 200,
                "nginx accepts the client"
            )
        }
        try expectNothing("billing")
        try expectNothing(nil)
        for caller in ["unknown"] + Tenants.lookalikes {
            try expectNothing(caller, ["orders", "billing", "unknown", "*"])
        }
        expectForbidden(try stack.get(key, length: content.count), "orders", "plain HTTP")
        expectForbidden(try stack.put(Array("x".utf8), namespace: "orders"), "orders", "plain HTTP")

        // Another authority signed these.
        for caller in ["forged", "self-signed"] {
            for answer in [
                try tenants.get(key, content.count, as: caller),
                try tenants.put(Array("x".utf8), namespace: "orders", as: caller),
                try tenants.request("POST", "/codec/decode", as: caller, body: noPayloads),
                try tenants.request("GET", "/lps-internal/\(files[0])", as: caller),
            ] {
                expectError(answer, 400, "bad request", caller)
            }
        }
        // If the client's handshake names no server, another server's authority may have verified the certificate.
        #expect(try tenants.request("HEAD", "/v2/health/head", as: "orders", host: "127.0.0.1").status == 421)

        // The store's files.
        for path in files.flatMap({
            ["/lps-internal/\($0)", "/lps-internal/objects/../\($0)", "/v2/../lps-internal/\($0)"]
        }) {
            #expect(try tenants.request("GET", path, as: "billing").status == 404, "\(path)")
        }
        expectError(try tenants.request("GET", "/", as: nil), 404, "unknown path", "the rest of the server")
        try stack.expectNothingIncoming()
        #expect(stack.tree == files)
    }

    @Test func `No client header can set a parameter of the web server`() throws {
        let tenants = try Tenants()
        let stack = tenants.stack
        let key = try Stack.key(tenants.put(content, namespace: "orders", as: "orders"))
        let file = try stack.object(of: key)
        let tree = stack.tree
        let fields = [
            "X-Accel-Redirect": "/lps-internal/" + file.dropFirst(stack.store.count + 1),
            "X-Allowed-Namespaces": "*", "X-Lps-Namespace": "orders", "X-SSL-Client-S-DN": "CN=orders,O=Example",
            "Script-Name": "/v2/blobs/get", "Query-String": "key=\(key)", "Content-Location": file,
        ]
        let parameters = [
            "LPS_ALLOWED_NAMESPACES": "*", "LPS_ACCEL_PREFIX": "/lps-internal", "REQUEST_BODY_FILE": file,
            "LPS_CODEC_PREFIX": "/v2", "SSL_CLIENT_S_DN": "CN=orders,O=Example",
        ]
        func spelled(_ spell: (String) -> String) -> [String: String] {
            Dictionary(uniqueKeysWithValues: parameters.map { (spell($0), $1) })
        }
        let hyphens = spelled { $0.capitalized.replacingOccurrences(of: "_", with: "-") }
        for headers in [fields, spelled { $0 }, hyphens, spelled { "HTTP_\($0)" }] {
            let get = Stack.getHeaders(length: content.count).merging(headers) { $1 }
            #expect(try tenants.request("GET", Stack.getTarget(key), get, as: "billing").status == 403)
            #expect(try tenants.request("GET", "/elsewhere", get, as: "billing").status == 404)
            let put = Stack.putHeaders().merging(headers) { $1 }
            let theirs = Stack.putTarget(namespace: "orders", digest: Stack.digest([1]))
            #expect(try tenants.request("PUT", theirs, put, as: "billing", body: [1]).status == 403)
            // A file named in a header is not taken for the body.
            let own = Stack.putTarget(namespace: "billing", digest: Stack.digest(content))
            #expect(try tenants.request("PUT", own, put, as: "billing", body: [1]).status == 400)
        }
        try stack.expectNothingIncoming()
        #expect(stack.tree == tree)
    }

    /// Also in an nginx configured for other purposes: a cache, for example, would admit every caller after the first.
    @Test(arguments: [false, true])
    func `A token gives access only to namespaces that the authentication service names`(isUnfriendly: Bool) throws {
        let tokens = try Tokens(isUnfriendly: isUnfriendly)
        let stack = tokens.stack
        let origin = "https://temporal.example.com"
        func headers(_ token: String?) -> [String: String] { token.map { ["Authorization": "Bearer \($0)"] } ?? [:] }
        // Above nginx's default limit of 1 MiB.
        let large = randomPayload(3_000_000)
        func put(_ token: String?, _ content: [UInt8]) throws -> HTTPAnswer {
            let target = Stack.putTarget(namespace: "orders", digest: Stack.digest(content))
            // The client also tries to name its namespaces itself.
            let more = headers(token).merging(["X-Allowed-Namespaces": "orders"]) { $1 }
            return try stack.request("PUT", target, Stack.putHeaders().merging(more) { $1 }, body: content)
        }
        func encode(_ token: String?, _ body: [UInt8]) throws -> HTTPAnswer {
            try stack.codec("orders/encode", body, headers(token).merging(["Origin": origin]) { $1 })
        }
        let answer = try put("orders-token", content)
        #expect(answer.status == 201)
        let key = try Stack.key(answer)
        #expect(try stack.get(key, length: content.count, headers("orders-token")).body == content)
        #expect(try put("orders-token", large).status == 201)
        #expect(try encode("orders-token", JSONPayloads([JSONPayload(large)]).json).status == 200)

        expectForbidden(try stack.get(key, length: content.count, headers("billing-token")), "orders", "billing")
        #expect(try stack.get(key, length: content.count).status == 401)
        let forbidden = "namespace 'orders' is not allowed for this caller"
        for (token, status, message) in [
            ("billing-token", 403, forbidden), ("token-of-nothing", 403, forbidden), ("revoked", 403, "not allowed"),
            (nil, 401, "authentication is required"),
            ("broken", 503, "the authentication service does not answer"),
        ] {
            let uploaded = try put(token, content)
            let encoded = try encode(token, noPayloads)
            for answer in [uploaded, encoded] { expectError(answer, status, message, "\(token ?? "no token")") }
            #expect(encoded.headers["access-control-allow-origin"] == origin, "a page can read the answer")
            #expect(uploaded.headers["www-authenticate"] == (status == 401 ? "Bearer" : nil))
            #expect(uploaded.headers["retry-after"] == (status == 503 ? "5" : nil))
        }
        let preflight = try stack.request("OPTIONS", "/codec/decode", ["Origin": origin])
        #expect(preflight.status == 204, "a browser sends preflights without credentials")
        #expect(try stack.request("GET", "/lps-auth").status == 404)
        try stack.expectNothingIncoming()
    }
}
