import Foundation
import TestSupport
import Testing

/// A service with the tenants of `docs/tenants.md`, orders and billing, and certificates for them and for others.
final class Tenants {
    let stack: Stack
    static let certificates = SharedFolder(makeCertificates)
    /// Certificates signed by the tenants' authority, with subjects that resemble that of orders.
    static let lookalikes = [
        "a subject that begins as orders' does", "a subject that ends as orders' does",
        "a name that looks like orders' subject",
    ]

    init() throws {
        let blocks = try tenantExamples("Client certificates")
        let authority = try Self.certificates.file("tenants-ca.pem")
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
        func make(_ name: String, _ subject: String, by authority: String? = nil) throws {
            let files = ["-keyout", folder.file("\(name)-key.pem"), "-out", folder.file("\(name).pem")]
            let signer = authority.map {
                ["-CA", folder.file("\($0).pem"), "-CAkey", folder.file("\($0)-key.pem")]
            }
            let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8"]
            try requireDone("openssl", ["req", "-x509", "-subj", subject] + key + files + (signer ?? []))
        }
        try make("tenants-ca", "/O=Example/CN=tenants")
        try make("foreign-ca", "/O=Example/CN=tenants")
        try make("self-signed", "/O=Example/CN=orders")
        try make("forged", "/O=Example/CN=orders", by: "foreign-ca")
        for name in ["orders", "billing", "unknown"] { try make(name, "/O=Example/CN=\(name)", by: "tenants-ca") }
        let subjects = ["/OU=x/O=Example/CN=orders", "/O=Example/CN=orders/CN=x", "/CN=orders,O=Example"]
        for (name, subject) in zip(lookalikes, subjects) { try make(name, subject, by: "tenants-ca") }
    }

    // MARK: Requests

    @discardableResult
    func put(
        _ payload: [UInt8],
        namespace: String,
        as caller: String?
    ) throws -> HTTPAnswer {
        let target = Stack.putTarget(namespace: namespace, digest: Stack.digest(payload))
        return try request("PUT", target, Stack.putHeaders(), as: caller, body: payload)
    }

    func get(_ key: String, _ length: Int, as caller: String?) throws -> HTTPAnswer {
        try request("GET", Stack.getTarget(key), Stack.getHeaders(length: length), as: caller)
    }

    /// Sends a request over TLS, with the caller's certificate.
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
            let name = try Self.certificates.file(caller)
            arguments += ["--cert", "\(name).pem", "--key", "\(name)-key.pem"]
        }
        for (name, value) in headers { arguments += ["-H", "\(name): \(value)"] }
        if let body {
            try write(body, to: exchange.file("upload"))
            arguments += ["--data-binary", "@\(exchange.file("upload"))"]
        }
        arguments += method == "HEAD" ? ["-I"] : ["-X", method]
        // The server's certificate is for localhost.
        if host != "localhost" { arguments.append("-k") }
        let curl = try run("curl", arguments + ["https://\(host)\(target)"])
        guard curl.status == 0 else { throw NeverHappened(what: "curl: \(curl.output)") }
        // The last head follows that of "100 Continue".
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

/// The default of the operator's http.conf: every caller may use all namespaces.
let openNamespaces = "map \"\" $lps_namespaces {\n    default \"*\";\n}\n"

/// The configuration that a section of `docs/tenants.md` shows, block by block.
func tenantExamples(_ section: String) throws -> [String] {
    try Project.blocks("nginx", in: "docs/tenants.md", section: section)
}
