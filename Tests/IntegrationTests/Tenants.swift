import Foundation
import TestSupport
import Testing

/// A service with the tenants of `docs/tenants.md`, orders and billing, and certificates for them and for others.
final class Tenants {
    let stack: Stack
    static let certificates = SharedFolder(makeCertificates)

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
        func openssl(_ arguments: [String]) throws { try requireDone("openssl", arguments) }
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
            let name = try Self.certificates.file(caller)
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

/// What the operator's http.conf has at first: everyone may use all namespaces.
let openNamespaces = "map \"\" $lps_namespaces {\n    default \"*\";\n}\n"

/// The configuration that a section of `docs/tenants.md` shows, block by block.
func tenantExamples(_ section: String) throws -> [String] {
    try Project.blocks("nginx", in: "docs/tenants.md", section: section)
}
