import Foundation
import TestSupport
import Testing

/// Who is a tenant, by `docs/tenants.md` as it stands there, with a real nginx. What a tenant gets at is shown in process
/// (`NamespaceAccessTests`).
@Suite(.serialized, .runLimit) struct TenantTests {
    private let ordersContent = Array("what orders keeps to itself".utf8)

    // MARK: Client certificates

    @Test func `A tenant stores to and fetches from its own namespaces`() throws {
        let tenants = try Tenants()
        for (tenant, namespace) in [("orders", "orders"), ("orders", "orders-test"), ("billing", "billing")] {
            let put = try tenants.put(ordersContent, namespace: namespace, as: tenant)
            #expect(put.status == 201, "\(namespace): \(put.text)")
            let get = try tenants.get(Stack.key(put), ordersContent.count, as: tenant)
            #expect(get.status == 200)
            #expect(get.body == ordersContent)
        }
    }

    @Test func `A caller with a certificate that another authority signed gets nothing`() throws {
        let tenants = try Tenants()
        let key = try Stack.key(tenants.put(ordersContent, namespace: "orders", as: "orders"))
        let tree = tenants.stack.tree
        let digest = Stack.digest(ordersContent).dropFirst(7)
        let object = "\(digest.prefix(2))/\(digest)"
        for caller in ["forged", "self-signed"] {
            let answers = [
                try tenants.get(key, ordersContent.count, as: caller),
                try tenants.put(Array("x".utf8), namespace: "orders", as: caller),
                try tenants.request("POST", "/codec/decode", as: caller, body: Array(#"{"payloads":[]}"#.utf8)),
                try tenants.request("GET", "/lps-internal/objects/\(object)", as: caller),
            ]
            for answer in answers { expectError(answer, 400, "bad request", caller) }
            #expect(try tenants.request("HEAD", "/v2/health/head", as: caller).status == 400)
        }
        #expect(tenants.stack.tree == tree)
    }

    @Test func `A caller without a certificate is allowed no namespace, and may use the rest of the server`() throws {
        let tenants = try Tenants()
        let key = try Stack.key(tenants.put(ordersContent, namespace: "orders", as: "orders"))
        try expectForbidden(tenants.get(key, ordersContent.count, as: nil), "orders")
        for namespace in ["orders", "*"] {
            try expectForbidden(tenants.put(Array("x".utf8), namespace: namespace, as: nil), namespace)
        }
        let encode = Array(#"{"payloads":[]}"#.utf8)
        try expectForbidden(tenants.request("POST", "/codec/orders/encode", as: nil, body: encode), "orders")
        expectError(try tenants.request("GET", "/", as: nil), 404, "unknown path", "the rest")
    }

    @Test func `A certificate whose subject is not listed is allowed no namespace`() throws {
        let tenants = try Tenants()
        let key = try Stack.key(tenants.put(ordersContent, namespace: "orders", as: "orders"))
        for caller in [
            "unknown", "a subject that begins as orders' does", "a subject that ends as orders' does",
            "a name that looks like orders' subject",
        ] {
            #expect(try tenants.request("HEAD", "/v2/health/head", as: caller).status == 200, "nginx takes it")
            for namespace in ["orders", "billing", "unknown", "*"] {
                try expectForbidden(tenants.put(Array("x".utf8), namespace: namespace, as: caller), namespace)
            }
            try expectForbidden(tenants.get(key, ordersContent.count, as: caller), "orders")
        }
    }

    @Test func `A client that names no server in its handshake is refused: another authority may have verified it`()
        throws
    {
        let tenants = try Tenants()
        #expect(try tenants.request("HEAD", "/v2/health/head", as: "orders", host: "127.0.0.1").status == 421)
    }

    @Test func `Over plain HTTP, where there is no certificate, nothing is allowed`() throws {
        let tenants = try Tenants()
        let key = try Stack.key(tenants.put(ordersContent, namespace: "orders", as: "orders"))
        try expectForbidden(tenants.stack.get(key, length: ordersContent.count), "orders")
        try expectForbidden(tenants.stack.put(Array("x".utf8), namespace: "orders"), "orders")
    }

    @Test func `A tenant gets at nothing of another's, by key, by name or through the codec server`() throws {
        let tenants = try Tenants()
        let key = try Stack.key(tenants.put(ordersContent, namespace: "orders", as: "orders"))
        let tree = tenants.stack.tree
        for text in [key, Stack.escape(key)] {
            try expectForbidden(tenants.get(text, ordersContent.count, as: "billing"), "orders")
        }
        try expectForbidden(tenants.put(Array("x".utf8), namespace: "orders", as: "billing"), "orders")
        let payloads = #"{"payloads":[]}"#
        for (path, headers) in [("orders/decode", [:]), ("orders/encode", [:]), ("encode", ["X-Namespace": "orders"])] {
            let body = Array(payloads.utf8)
            try expectForbidden(tenants.request("POST", "/codec/\(path)", headers, as: "billing", body: body), "orders")
        }
        // The files behind, too.
        let files = tenants.stack.tree
        for path in files.flatMap({
            ["/lps-internal/\($0)", "/lps-internal/objects/../\($0)", "/v2/../lps-internal/\($0)"]
        }) {
            #expect(try tenants.request("GET", path, as: "billing").status == 404, "\(path)")
        }
        try tenants.stack.expectNothingIncoming()
        #expect(tenants.stack.tree == tree)
        #expect(try tenants.get(key, ordersContent.count, as: "orders").body == ordersContent)
    }

    @Test func `No header of a client becomes a parameter of the web server`() throws {
        let tenants = try Tenants()
        let key = try Stack.key(tenants.put(ordersContent, namespace: "orders", as: "orders"))
        let file = try tenants.stack.object(of: key)
        let tree = tenants.stack.tree
        var planted = [
            "X-Accel-Redirect": "/lps-internal/" + file.dropFirst(tenants.stack.store.count + 1),
            "X-Allowed-Namespaces": "*", "X-Lps-Namespace": "orders", "X-SSL-Client-S-DN": "CN=orders,O=Example",
            "Script-Name": "/v2/blobs/get", "Query-String": "key=\(key)", "Content-Location": file,
        ]
        let parameters = [
            ("LPS_ALLOWED_NAMESPACES", "*"), ("LPS_ACCEL_PREFIX", "/lps-internal"), ("REQUEST_BODY_FILE", file),
            ("LPS_CODEC_PREFIX", "/v2"), ("SSL_CLIENT_S_DN", "CN=orders,O=Example"),
        ]
        for (name, value) in parameters {
            for name in [name, name.capitalized.replacingOccurrences(of: "_", with: "-"), "HTTP_\(name)"] {
                planted[name] = value
            }
        }
        func send(_ headers: [String: String]) throws {
            let what = "\(headers.keys)"
            let get = Stack.getHeaders(length: ordersContent.count).merging(headers) { $1 }
            let got = try tenants.request("GET", Stack.getTarget(key), get, as: "billing")
            #expect(got.status == 403, "\(what)")
            let elsewhere = try tenants.request("GET", "/elsewhere", get, as: "billing")
            #expect(elsewhere.status == 404, "\(what)")
            let put = Stack.putHeaders().merging(headers) { $1 }
            let theirs = Stack.putTarget(namespace: "orders", digest: Stack.digest([1]))
            #expect(try tenants.request("PUT", theirs, put, as: "billing", body: [1]).status == 403, "\(what)")
            // A file that is named in a header is not taken for the body.
            let own = Stack.putTarget(namespace: "billing", digest: Stack.digest(ordersContent))
            #expect(try tenants.request("PUT", own, put, as: "billing", body: [1]).status == 400, "\(what)")
        }
        for (name, value) in planted { try send([name: value]) }
        try send(planted)
        try tenants.stack.expectNothingIncoming()
        #expect(tenants.stack.tree == tree)
        #expect(try tenants.get(key, ordersContent.count, as: "orders").body == ordersContent)
    }

    // MARK: Bearer tokens

    /// Also where nginx was configured for something else: a cache, say, would let everyone in who asks after the first one.
    @Test(arguments: [false, true])
    func `A token opens the namespaces that its service names, and no others`(isUnfriendly: Bool) throws {
        let tokens = try Tokens(isUnfriendly: isUnfriendly)
        let stack = tokens.stack
        func headers(_ token: String?) -> [String: String] { token.map { ["Authorization": "Bearer \($0)"] } ?? [:] }
        func put(_ namespace: String, _ token: String?, _ more: [String: String] = [:]) throws -> HTTPAnswer {
            let target = Stack.putTarget(namespace: namespace, digest: Stack.digest(ordersContent))
            let headers = Stack.putHeaders().merging(headers(token)) { $1 }.merging(more) { $1 }
            return try stack.request("PUT", target, headers, body: ordersContent)
        }
        let answer = try put("orders", "orders-token")
        #expect(answer.status == 201)
        let key = try Stack.key(answer)
        #expect(try stack.get(key, length: ordersContent.count, headers("orders-token")).body == ordersContent)
        // Above what nginx lets pass where nothing else is said: 1 MiB.
        let large = randomPayload(3_000_000)
        let target = Stack.putTarget(namespace: "orders", digest: Stack.digest(large))
        let sent = Stack.putHeaders().merging(headers("orders-token")) { $1 }
        #expect(try stack.request("PUT", target, sent, body: large).status == 201)

        let planted = ["X-Allowed-Namespaces": "orders"]
        for namespaces in [[:], planted] {
            try expectForbidden(put("orders", "billing-token", namespaces), "orders")
            let get = headers("billing-token").merging(namespaces) { $1 }
            try expectForbidden(stack.get(key, length: ordersContent.count, get), "orders")
            // The service let this one in, and named no namespace.
            try expectForbidden(put("orders", "token-of-nothing", namespaces), "orders")
        }
        let unknown = try put("orders", nil, planted)
        expectError(unknown, 401, "authentication is required", "no token")
        #expect(unknown.headers["www-authenticate"] == "Bearer")
        expectError(try put("orders", "revoked", planted), 403, "not allowed", "a revoked token")
        #expect(try stack.get(key, length: ordersContent.count).status == 401)
        let broken = try put("orders", "broken")
        expectError(broken, 503, "the authentication service does not answer", "a service that fails lets nobody in")
        #expect(broken.headers["retry-after"] == "5")
        #expect(try stack.request("GET", "/lps-auth").status == 404)
        try stack.expectNothingIncoming()
    }

    private func expectForbidden(
        _ answer: HTTPAnswer,
        _ namespace: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let message = "namespace '\(namespace)' is not allowed for this caller"
        expectError(answer, 403, message, namespace, sourceLocation: sourceLocation)
    }
}
