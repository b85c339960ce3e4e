import Foundation
import TestSupport
import Testing

@testable import PayloadService

/// Tenancy: a caller can use only the namespaces that the web server's configuration allows it.
@Suite(.runLimit) struct NamespaceAccessTests {
    private let content = bytes("what orders keeps to itself")

    private func expectForbidden(_ answer: Answer, _ namespace: String, _ what: String) {
        expectRefusal(answer, 403, "namespace '\(namespace)' is not allowed for this caller", what)
    }

    @Test(arguments: Setup.disk) func `A caller can upload to and download from its own namespaces only`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup)
        for allowed in [nil, "*", "orders", "billing,orders", " billing ,\torders "] {
            let answer = try fixture.ask(.put(content, namespace: "orders").with { $0.allowed = allowed })
            #expect(answer.status == 201 || answer.status == 200, "\(allowed ?? "all")")
            let fetched = try fixture.ask(.get(answer.key, length: content.count).with { $0.allowed = allowed })
            #expect(fetched.body == content)
        }
        let key = try fixture.store(content, namespace: "orders")
        for allowed in ["", ",", "billing", "order", "orders2", "Orders", "orders/", "billing,*", "*,billing"] {
            let put = try fixture.ask(.put(content, namespace: "orders").with { $0.allowed = allowed })
            expectForbidden(put, "orders", "PUT by \(allowed)")
            let get = try fixture.ask(.get(key, length: content.count).with { $0.allowed = allowed })
            expectForbidden(get, "orders", "GET by \(allowed)")
        }
        // The two are canonically equivalent in Unicode.
        let composed = try fixture.ask(.put(content, namespace: "\u{E9}").with { $0.allowed = "e\u{301}" })
        #expect(composed.status == 403)
    }

    @Test(arguments: Setup.disk)
    func `A caller that knows another's key cannot download with it, however it is encoded`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        let key = try fixture.store(content, namespace: "orders")
        let own = try fixture.store(bytes("own"), namespace: "billing")
        let rest = key.dropFirst("/blobs/orders".count)
        let once = Stack.escape(key)
        let everyByte = key.utf8.map { String(format: "%%%02x", $0) }.joined()
        func get(_ query: String) throws -> Answer {
            try fixture.ask(
                .get(key, length: content.count).with {
                    $0.query = query
                    $0.allowed = "billing"
                }
            )
        }
        for text in [key, once, Stack.escape(once), everyByte, Stack.escape(everyByte)] {
            expectForbidden(try get("key=\(text)"), "orders", text)
        }
        expectForbidden(try get("key=\(once)&key=\(Stack.escape(own))"), "orders", "the first of two keys counts")
        // A namespace of no caller.
        let melted = "billing%2F..%2Forders"
        expectForbidden(try get("key=/blobs/billing%252F..%252Forders\(rest)"), melted, "a namespace with escapes")
        for text in [
            Stack.escape(Stack.escape(once)), Stack.escape("/blobs/billing\(rest)"), "/blobs/billing/../orders\(rest)",
            "/blobs/\(melted)\(rest)", "/blobs/billing/custom/../../orders\(rest)",
            "/blobs/billing/common/../../orders\(rest)", "/blobs/./orders\(rest)", "//blobs/orders\(rest)",
            "/blobs//orders\(rest)", "blobs/orders\(rest)", "\(key)/", "\(key)%00", "../keys/orders\(rest)",
        ] {
            expectRefusal(try get("key=\(text)"), 404, "blob not found", text)
        }
    }

    @Test(arguments: Setup.disk)
    func `A caller cannot upload to another's namespace, however it is encoded`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        _ = try fixture.store(content, namespace: "orders")
        let before = try fixture.store.contents()
        func put(_ namespaces: String, prefix: String? = nil) throws -> Answer {
            try fixture.ask(
                .put(helloWorld).with {
                    $0.query = "\(namespaces)&digest=\(helloWorldDigest)"
                    $0.allowed = "billing"
                    if let prefix { $0.prefix(prefix) }
                }
            )
        }
        for (escaped, name) in [
            ("orders", "orders"), ("%6frders", "orders"), ("orders&namespace=billing", "orders"),
            ("billing,orders", "billing,orders"), ("Billing", "Billing"), ("billin", "billin"),
            ("billing2", "billing2"), ("billing%20", "billing "), ("+billing", " billing"), ("*", "*"),
            ("billing%252F..%252Forders", "billing%2F..%2Forders"),
        ] {
            expectForbidden(try put("namespace=\(escaped)"), name, escaped)
        }
        for namespace in ["billing%2F..%2Forders", "../orders", "..", ".", "billing/", "billing%00"] {
            expectRefusal(try put("namespace=\(namespace)"), 400, "invalid namespace '…", namespace)
        }
        for prefix in ["../../orders", "a/../../../orders", "..", "a%2F..", "a\u{0}"] {
            #expect(try put("namespace=billing", prefix: prefix).status == 400, "\(prefix)")
        }
        #expect(try fixture.store.contents() == before)
        // A prefix that looks like another's folder is below the caller's own.
        #expect(try put("namespace=billing", prefix: "/orders/common").key.hasPrefix("/blobs/billing/custom/"))
    }

    @Test(arguments: Setup.disk)
    func `A caller can read the payloads of a namespace that is only readable, and store nothing there`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let payload = JSONPayload(randomPayload(1000))
        let key = try fixture.store(content, namespace: "orders")
        let body = try JSONPayloads([payload]).json
        let reference = try fixture.ask(.codec("orders/encode", body, namespace: nil)).body
        func ask(_ asked: Asked, readable: String) throws -> Answer {
            try fixture.ask(
                asked.with {
                    $0.allowed = "billing"
                    $0.readable = readable
                }
            )
        }
        for readable in ["orders", "shipping, orders", "*"] {
            #expect(try ask(.get(key, length: content.count), readable: readable).body == content)
            for operation in ["decode", "orders/decode", "orders/download"] {
                let answer = try ask(.codec(operation, reference, namespace: nil), readable: readable)
                #expect(try answer.payloads == [payload], "\(operation)")
            }
            expectForbidden(try ask(.put(helloWorld, namespace: "orders"), readable: readable), "orders", "PUT")
            let encode = try ask(.codec("orders/encode", body, namespace: nil), readable: readable)
            expectForbidden(encode, "orders", "encode")
            #expect(try ask(.put(helloWorld, namespace: "billing"), readable: readable).status < 300)
        }
        for readable in ["", "order", "Orders"] {
            expectForbidden(try ask(.get(key, length: content.count), readable: readable), "orders", readable)
        }
    }

    @Test(arguments: Setup.disk)
    func `Another's digest gives no access without the content`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        _ = try fixture.store(content, namespace: "orders")
        let before = try fixture.store.contents()
        for wrong in [[], bytes("x"), Array(content.dropLast()), content + [0], content.reversed()] {
            let asked = Asked.put(wrong, namespace: "billing", digest: Stack.digest(content))
            expectRefusal(try fixture.ask(asked.with { $0.allowed = "billing" }), 400, "checksum mismatch")
        }
        #expect(try fixture.store.contents() == before)
        // A caller that has the content gets the answer for new content, and learns nothing.
        #expect(try fixture.put(content, namespace: "billing").status == 201)
        #expect(try fixture.put(helloWorld, namespace: "billing").status == 201)
    }

    @Test(arguments: Setup.disk)
    func `The codec server refuses payloads of namespaces that the caller cannot use`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let payload = JSONPayload(randomPayload(1000))
        let body = try JSONPayloads([payload]).json
        func ask(_ operation: String, _ body: [UInt8], by allowed: String, header: String? = nil) throws -> Answer {
            try fixture.ask(.codec(operation, body, namespace: header).with { $0.allowed = allowed })
        }
        let reference = try ask("orders/encode", body, by: "orders").body
        let own = try ask("encode", body, by: "mine, billing", header: "billing").body
        let mixed = try JSONPayloads(
            JSONDecoder().decode(JSONPayloads.self, from: Data(own)).payloads
                + JSONDecoder().decode(JSONPayloads.self, from: Data(reference)).payloads
        ).json
        for operation in ["decode", "billing/decode", "download", "billing/download"] {
            #expect(try ask(operation, own, by: "billing").payloads == [payload])
            let answer = try ask(operation, mixed, by: "billing")
            let reason = "namespace 'orders' is not allowed for this caller"
            if operation.hasSuffix("download") {
                expectRefusal(answer, 403, "payload 1: \(reason)", operation)
            } else {
                #expect(try answer.payloads[0] == payload)
                #expect(try answer.payloads[1].metadata["temporal.io/remote-codec"] != nil, "still a reference")
                #expect(answer.headers["X-LPS-Undecoded"] == "1;reason=\"\(reason)\"")
            }
        }
        expectForbidden(try ask("orders/decode", own, by: "billing"), "orders", "decode with a namespace in the path")
        expectForbidden(try ask("orders/encode", body, by: "billing"), "orders", "encode with a namespace in the path")
        expectForbidden(try ask("encode", body, by: "billing", header: "orders"), "orders", "a namespace in the header")
        expectForbidden(
            try ask("orders/encode", body, by: ""),
            "orders",
            "a caller without namespaces"
        )
    }
}
