import Foundation
import TestSupport
import Testing

/// What nobody gets at who is not let in: `docs/tenants.md` as it stands there, with a real nginx.
@Suite(.serialized) struct TenantTests {
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

    @Test(arguments: [
        "unknown", "a subject that begins as orders' does", "a subject that ends as orders' does",
        "a name that looks like orders' subject",
    ])
    func `A certificate whose subject is not listed is allowed no namespace`(caller: String) throws {
        let tenants = try Tenants()
        let key = try Stack.key(tenants.put(ordersContent, namespace: "orders", as: "orders"))
        #expect(try tenants.request("HEAD", "/v2/health/head", as: caller).status == 200, "nginx takes it")
        for namespace in ["orders", "billing", "unknown", "*"] {
            try expectForbidden(tenants.put(Array("x".utf8), namespace: namespace, as: caller), namespace)
        }
        try expectForbidden(tenants.get(key, ordersContent.count, as: caller), "orders")
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

    @Test func `A tenant that has learnt another's key fetches nothing by it, however it is written`() throws {
        let tenants = try Tenants()
        let put = try tenants.put(ordersContent, namespace: "orders", as: "orders")
        let key = try Stack.key(put)
        let own = try Stack.key(tenants.put(Array("own".utf8), namespace: "billing", as: "billing"))
        let rest = key.dropFirst("/blobs/orders".count)
        func get(_ query: String) throws -> HTTPAnswer {
            try tenants.request(
                "GET",
                "/v2/blobs/get?\(query)",
                Stack.getHeaders(length: ordersContent.count),
                as: "billing"
            )
        }
        let once = Stack.escape(key)
        let everyByte = key.utf8.map { String(format: "%%%02x", $0) }.joined()
        for query in [key, once, Stack.escape(once), everyByte, Stack.escape(everyByte)].map({ "key=\($0)" }) {
            try expectForbidden(get(query), "orders")
        }
        // Of two, the first counts.
        try expectForbidden(get("key=\(once)&key=\(Stack.escape(own))"), "orders")
        // A namespace of its own, which nobody has.
        try expectForbidden(get("key=/blobs/billing%252F..%252Forders\(rest)"), "billing%2F..%2Forders")
        let notFound = [
            Stack.escape(Stack.escape(once)), Stack.escape("/blobs/billing\(rest)"), "/blobs/billing/../orders\(rest)",
            "/blobs/billing%2F..%2Forders\(rest)",
            "/blobs/billing/custom/../../orders\(rest)", "/blobs/billing/common/../../orders\(rest)",
            "/blobs/./orders\(rest)", "//blobs/orders\(rest)", "/blobs//orders\(rest)", "blobs/orders\(rest)",
            "\(key)/", "\(key)%00", "../keys/orders\(rest)",
        ]
        for text in notFound { expectError(try get("key=\(text)"), 404, "blob not found", text) }
        // The files behind, too.
        let file = try #require(tenants.stack.keys.first { $0.hasPrefix("keys/orders/") })
        let object = try #require(tenants.stack.objects.first { $0.contains(Stack.digest(ordersContent).dropFirst(7)) })
        for path in [
            "/lps-internal/\(object)", "/lps-internal/objects/../\(object)", "/v2/../lps-internal/\(object)",
            "/lps-internal/\(file)", "/lps-internal/objects/../\(file)",
        ] {
            #expect(try tenants.request("GET", path, as: "billing").status == 404, "\(path)")
        }
        #expect(try tenants.get(key, ordersContent.count, as: "orders").body == ordersContent)
    }

    @Test func `A tenant stores nothing in another's namespace, however it is written`() throws {
        let tenants = try Tenants()
        try tenants.put(ordersContent, namespace: "orders", as: "orders")
        let tree = tenants.stack.tree
        let content = Array("slipped in".utf8)
        let digest = Stack.escape(Stack.digest(content))
        func put(_ namespaces: String) throws -> HTTPAnswer {
            try tenants.request(
                "PUT",
                "/v2/blobs/put?\(namespaces)&digest=\(digest)",
                Stack.putHeaders(),
                as: "billing",
                body: content
            )
        }
        let others = [
            "orders", "%6frders", "orders&namespace=billing", "billing,orders", "billing,%20orders", "Billing",
            "BILLING",
            "billin", "billing2", "billing%20", "+billing", "*", "billing%252F..%252Forders", "..%252forders",
        ]
        for namespace in others { expectError(try put("namespace=\(namespace)"), 403, nil, namespace) }
        for namespace in ["billing%2F..%2Forders", "../orders", "..", ".", "billing/", "billing%00", ""] {
            expectError(try put("namespace=\(namespace)"), 400, nil, namespace)
        }
        for prefix in ["../../orders", "a/../../../orders", "..", "a%2F..", "a\u{0}"] {
            let value = Data(prefix.utf8).base64EncodedString()
            let metadata = #"{"remote-codec/key-prefix":"\#(value)"}"#
            let answer = try tenants.put(content, namespace: "billing", as: "billing", metadata: metadata)
            expectError(answer, 400, nil, prefix)
        }
        try tenants.stack.expectNothingIncoming()
        #expect(tenants.stack.tree == tree)
        // A prefix like another's folder is below the tenant's own.
        let value = Data("/orders/common".utf8).base64EncodedString()
        let metadata = #"{"remote-codec/key-prefix":"\#(value)"}"#
        let own = try tenants.put(content, namespace: "billing", as: "billing", metadata: metadata)
        #expect(try Stack.key(own).hasPrefix("/blobs/billing/custom/"))
        #expect(
            tenants.stack.keys.filter { $0.hasPrefix("keys/orders/") } == tree.filter { $0.hasPrefix("keys/orders/") }
        )
    }

    @Test func `A digest learnt from another tenant is worth nothing without the content`() throws {
        let tenants = try Tenants()
        try tenants.put(ordersContent, namespace: "orders", as: "orders")
        let digest = Stack.digest(ordersContent)
        let tree = tenants.stack.tree
        let wrong: [[UInt8]] = [
            [], Array("x".utf8), Array(ordersContent.dropLast()), ordersContent + [0], ordersContent.reversed(),
        ]
        for content in wrong {
            let answer = try tenants.put(content, namespace: "billing", as: "billing", digest: digest)
            expectError(answer, 400, "checksum mismatch", "\(content.count) bytes")
        }
        try tenants.stack.expectNothingIncoming()
        #expect(tenants.stack.tree == tree)
        // Who has the content stores it; the answer is the one that new content gets, too.
        let put = try tenants.put(ordersContent, namespace: "billing", as: "billing")
        #expect(put.status == 201)
        #expect(try tenants.put(Array("new".utf8), namespace: "billing", as: "billing").status == 201)
        #expect(try tenants.get(Stack.key(put), ordersContent.count, as: "billing").body == ordersContent)
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

    @Test func `The codec server gives and takes no payload of another tenant`() throws {
        let tenants = try Tenants()
        let payload = JSONPayload(randomPayload(200_000))
        func codec(_ path: String, _ body: [UInt8], _ caller: String, _ headers: [String: String] = [:]) throws
            -> HTTPAnswer
        {
            let headers = headers.merging(["Content-Type": "application/json"]) { given, _ in given }
            return try tenants.request("POST", "/codec/\(path)", headers, as: caller, body: body)
        }
        let body = try JSONPayloads([payload]).json
        let reference = try codec("orders/encode", body, "orders").body
        #expect(try JSONPayloads(codec("orders/decode", reference, "orders")).payloads == [payload])
        for path in ["decode", "billing/decode", "download", "billing/download"] {
            let answer = try codec(path, reference, "billing", ["X-Allowed-Namespaces": "*"])
            expectError(answer, 403, "payload 0: namespace 'orders' is not allowed for this caller", path)
        }
        try expectForbidden(codec("orders/decode", reference, "billing"), "orders")
        try expectForbidden(codec("orders/encode", body, "billing"), "orders")
        try expectForbidden(codec("encode", body, "billing", ["X-Namespace": "orders"]), "orders")
    }

    private func expectForbidden(
        _ answer: HTTPAnswer,
        _ namespace: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let message = "namespace '\(namespace)' is not allowed for this caller"
        expectError(answer, 403, message, namespace, sourceLocation: sourceLocation)
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
}

/// A service that asks another one, which nginx itself plays here, whose token a request has.
private final class Tokens {
    let stack: Stack
    private let service: TemporaryFolder

    init(isUnfriendly: Bool) throws {
        let blocks = try examples("Bearer tokens")
        service = try TemporaryFolder()
        let address = service.file("auth.sock")
        stack = try Stack(
            health: 401,
            nginx: { text in
                (isUnfriendly ? UnfriendlyNginx.edit(text) : text)
                    .replacingOccurrences(of: "# auth_request /lps-auth;", with: blocks[2])
                    .replacingOccurrences(of: openNamespaces, with: blocks[1])
                    .replacingOccurrences(
                        of: "include lps/server.conf;",
                        with: "include lps/server.conf;\n"
                            + blocks[0].replacingOccurrences(
                                of: "http://127.0.0.1:8080/",
                                with: "http://unix:\(address):/"
                            )
                    )
                    .replacingOccurrences(
                        of: "include lps/site.conf;",
                        with: """
                            map $http_authorization $answer {
                                default 401;
                                "Bearer orders-token" 204;
                                "Bearer billing-token" 204;
                                "Bearer token-of-nothing" 204;
                                "Bearer revoked" 403;
                                "Bearer broken" 500;
                            }
                            map $http_authorization $namespaces {
                                default "";
                                "Bearer orders-token" orders;
                                "Bearer billing-token" billing;
                                "Bearer revoked" orders;
                            }
                            server {
                                listen unix:\(address);
                                error_page 418 /none;
                                add_header X-Allowed-Namespaces $namespaces;
                                add_header WWW-Authenticate Bearer always;
                                if ($answer = 401) { return 401; }
                                if ($answer = 403) { return 403; }
                                if ($answer = 500) { return 500; }
                                location = /auth { return 204; }
                            }
                            include lps/site.conf;
                            """
                    )
            }
        )
    }
}

/// What the operator's http.conf has at first: everyone may use all namespaces.
private let openNamespaces = "map \"\" $lps_namespaces {\n    default \"*\";\n}\n"

/// The configuration that a section of `docs/tenants.md` shows, block by block.
private func examples(_ section: String) throws -> [String] {
    try Project.blocks("nginx", in: "docs/tenants.md", section: section)
}

/// A service with the tenants of `docs/tenants.md`, orders and billing, and certificates for them and for others.
private final class Tenants {
    let stack: Stack
    private let certificates: TemporaryFolder

    init() throws {
        certificates = try TemporaryFolder()
        try Self.makeCertificates(certificates)
        let blocks = try examples("Client certificates")
        let authority = certificates.file("tenants-ca.pem")
        stack = try Stack(nginx: { text in
            text.replacingOccurrences(of: openNamespaces, with: blocks[1])
                .replacingOccurrences(
                    of: "# Large Payload Service, in http { }. This file is yours",
                    with: "\(blocks[0])# Large Payload Service, in http { }. This file is yours"
                )
                // The site's own lines, not those of the server without TLS.
                .replacingOccurrences(of: "    # include lps/codec.conf;", with: "    include lps/codec.conf;")
                .replacingOccurrences(
                    of: "\n    error_page 400 494 497 = /lps-internal/400;\n    error_page 405",
                    with: "\n\(blocks[2].replacingOccurrences(of: "/etc/ssl/lps/tenants-ca.pem", with: authority))"
                        + "    error_page 405"
                )
        })
    }

    // MARK: Certificates

    private static func makeCertificates(_ folder: TemporaryFolder) throws {
        func openssl(_ arguments: [String]) throws {
            let made = try run("openssl", arguments)
            guard made.status == 0 else { throw NeverHappened(what: "openssl: \(made.output)") }
        }
        let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8"]
        func selfSigned(_ name: String, _ subject: String) throws {
            let files = ["-keyout", folder.file("\(name)-key.pem"), "-out", folder.file("\(name).pem")]
            try openssl(["req", "-x509", "-subj", subject] + newKey + files)
        }
        func signed(_ name: String, _ subject: String, by authority: String) throws {
            let files = ["-keyout", folder.file("\(name)-key.pem"), "-out", folder.file("request.pem")]
            try openssl(["req", "-subj", subject] + newKey + files)
            try openssl([
                "x509", "-req", "-in", folder.file("request.pem"), "-CA", folder.file("\(authority).pem"),
                "-CAkey", folder.file("\(authority)-key.pem"), "-set_serial", "\(Int.random(in: 1...Int.max))",
                "-out", folder.file("\(name).pem"),
            ])
        }
        try selfSigned("tenants-ca", "/O=Example/CN=tenants")
        try selfSigned("foreign-ca", "/O=Example/CN=tenants")
        try selfSigned("self-signed", "/O=Example/CN=orders")
        try signed("forged", "/O=Example/CN=orders", by: "foreign-ca")
        try signed("orders", "/O=Example/CN=orders", by: "tenants-ca")
        try signed("billing", "/O=Example/CN=billing", by: "tenants-ca")
        try signed("unknown", "/O=Example/CN=unknown", by: "tenants-ca")
        try signed("a subject that begins as orders' does", "/OU=x/O=Example/CN=orders", by: "tenants-ca")
        try signed("a subject that ends as orders' does", "/O=Example/CN=orders/CN=x", by: "tenants-ca")
        try signed("a name that looks like orders' subject", "/CN=orders,O=Example", by: "tenants-ca")
    }

    // MARK: Requests

    @discardableResult
    func put(
        _ payload: [UInt8],
        namespace: String,
        as caller: String?,
        digest: String? = nil,
        metadata: String = "{}"
    ) throws -> HTTPAnswer {
        let target = Stack.putTarget(namespace: namespace, digest: digest ?? Stack.digest(payload))
        return try request("PUT", target, Stack.putHeaders(metadata: metadata), as: caller, body: payload)
    }

    func get(_ key: String, _ length: Int, as caller: String?) throws -> HTTPAnswer {
        try request("GET", Stack.getTarget(key), Stack.getHeaders(length: length), as: caller)
    }

    /// Sends a request over TLS, with the certificate of this name.
    func request(
        _ method: String,
        _ target: String,
        _ headers: [String: String] = [:],
        as caller: String?,
        host: String = "localhost",
        body: [UInt8]? = nil
    ) throws -> HTTPAnswer {
        let exchange = try TemporaryFolder()
        defer { withExtendedLifetime(exchange) {} }
        var arguments = [
            "-sS", "--http1.1", "--path-as-is", "--globoff", "--unix-socket", stack.tlsSocket,
            "--cacert", stack.folder.file("cert.pem"), "-D", exchange.file("head"), "-o", exchange.file("body"),
        ]
        if let caller {
            let name = certificates.file(caller)
            arguments += ["--cert", "\(name).pem", "--key", "\(name)-key.pem"]
        }
        for (name, value) in headers { arguments += ["-H", "\(name): \(value)"] }
        if let body {
            try write(body, to: exchange.file("upload"))
            arguments += ["--data-binary", "@\(exchange.file("upload"))"]
        }
        arguments += method == "HEAD" ? ["-I"] : ["-X", method]
        // The certificate is localhost's.
        if host != "localhost" { arguments.append("-k") }
        let curl = try run("curl", arguments + ["https://\(host)\(target)"])
        guard curl.status == 0 else { throw NeverHappened(what: "curl: \(curl.output)") }
        // After those of "100 Continue".
        let head = String(decoding: try contents(of: exchange.file("head")), as: UTF8.self)
            .components(separatedBy: "\r\n\r\n").last { $0.hasPrefix("HTTP/") }
        let lines = try #require(head).components(separatedBy: "\r\n")
        let fields = lines.dropFirst().compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon].lowercased(), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
        return HTTPAnswer(
            status: try #require(Int(lines[0].components(separatedBy: " ")[1])),
            headers: Dictionary(fields) { "\($0), \($1)" },
            body: (try? contents(of: exchange.file("body"))) ?? []
        )
    }
}
