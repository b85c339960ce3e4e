import Foundation
import NIOSSL
import TestSupport
import Testing

@testable import LargePayloadCodec

/// A TLS server for `localhost` that answers each GET with 200.
private final class TLSServer: Sendable {
    private static let files = SharedFolder { folder in
        for name in ["server", "client", "other"] {
            try requireDone(
                "openssl",
                ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
                    + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
                    + ["-keyout", folder.file("\(name)-key.pem"), "-out", folder.file("\(name).pem")]
            )
        }
        let both = try contents(of: folder.file("client.pem")) + contents(of: folder.file("client-key.pem"))
        try write(both, to: folder.file("client-and-key.pem"))
    }

    static func file(_ name: String) throws -> String { try files.file("\(name).pem") }

    let port: UInt16
    private let folder: TemporaryFolder
    private let process: ChildProcess

    init(_ options: [String] = []) throws {
        folder = try TemporaryFolder()
        port = try freePort()
        let files = try ["-cert", Self.file("server"), "-key", Self.file("server-key")]
        process = try ChildProcess(
            ["openssl", "s_server", "-www", "-accept", "127.0.0.1:\(port)"] + files + options,
            log: folder.file("log")
        )
        try eventually("s_server listens: \(process.log)") { process.log.contains("ACCEPT") }
    }
}

/// A server that answers the first bytes of a connection with the given ones, whatever they are, and then closes it.
private final class BluntServer: Sendable {
    let port: UInt16
    private let listener: Int32

    init(_ answer: [UInt8]) throws {
        (listener, port) = try listenOnLoopback()
        Thread { [listener] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                var piece = [UInt8](repeating: 0, count: 4096)
                _ = recv(connection, &piece, piece.count, 0)
                _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                shutdown(connection, Int32(SHUT_WR))
                // A close with unread bytes would reset the connection, and the client might not see the answer.
                while recv(connection, &piece, piece.count, 0) > 0 {}
                close(connection)
            }
        }.start()
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }
}

@Suite(.runLimit) struct TLSTests {
    private func status(_ url: String, _ transport: HTTPClientTransport) async throws -> Int {
        let request = CodecRequest(method: "GET", url: url, maximumResponseSize: 100)
        return try await transport.send(request, timeout: .seconds(60)).status
    }

    /// The message of a permanent fault.
    private func fault(_ url: String, _ transport: HTTPClientTransport = HTTPClientTransport()) async -> String? {
        await #expect(throws: CodecTransportError.self) { try await status(url, transport) }?.message
    }

    private func trusting() throws -> HTTPClientTransport {
        try HTTPClientTransport(authorityFile: TLSServer.file("server"))
    }

    @Test func `An untrusted certificate is refused, unless its authority is configured`() async throws {
        let server = try TLSServer()
        let url = "https://localhost:\(server.port)/"
        #expect(await fault(url) == "the server's certificate is not trusted, or has expired")
        #expect(try await status(url, trusting()) == 200)
    }

    @Test func `A certificate for another host is a permanent fault`() async throws {
        let server = try TLSServer()
        let message = await fault("https://127.0.0.1:\(server.port)/", try trusting())
        #expect(message?.hasPrefix("the server's certificate is not for the host '127.0.0.1' of the URL (") == true)
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `A server that requires a client certificate gets the configured one`(version: String) async throws {
        let verification = try ["-Verify", "1", "-verify_return_error", "-CAfile", TLSServer.file("client")]
        let server = try TLSServer([version] + verification)
        let url = "https://localhost:\(server.port)/"
        func transport(_ certificate: String, _ key: String?) throws -> HTTPClientTransport {
            try HTTPClientTransport(
                authorityFile: TLSServer.file("server"),
                certificateFile: TLSServer.file(certificate),
                keyFile: key.map { try TLSServer.file($0) }
            )
        }
        #expect(try await status(url, transport("client", "client-key")) == 200)
        #expect(try await status(url, transport("client-and-key", nil)) == 200)
        #expect(await fault(url, try trusting())?.contains("requires a client certificate") == true)
        #expect(await fault(url, try transport("other", "other-key")) == "the server refuses the client certificate")
    }

    @Test func `A server without a common version of TLS is a permanent fault`() async throws {
        let server = try TLSServer(["-tls1_3"])
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.maximumTLSVersion = .tlsv12
        let old = HTTPClientTransport(environment: [:], tls: tls)
        let message = await fault("https://localhost:\(server.port)/", old)
        #expect(message == "the server supports none of the TLS versions of the client")
    }

    @Test func `A server that does not serve the host is a permanent fault`() async throws {
        let second = try ["-cert2", TLSServer.file("other"), "-key2", TLSServer.file("other-key")]
        let server = try TLSServer(second + ["-servername", "other.test", "-servername_fatal"])
        let message = await fault("https://localhost:\(server.port)/", try trusting())
        #expect(message == "the server does not serve the host of the URL")
    }

    @Test func `A server that does not speak TLS is a permanent fault`() async throws {
        let server = try BluntServer(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        let message = await fault("https://localhost:\(server.port)/")
        #expect(message?.hasPrefix("the server does not speak TLS;") == true)
    }

    @Test func `Plain HTTP to a port that expects TLS is a permanent fault`() async throws {
        // A fatal alert, as OpenSSL answers to what is not TLS.
        let server = try BluntServer([0x15, 3, 3, 0, 2, 2, 70])
        let message = await fault("http://127.0.0.1:\(server.port)/")
        #expect(message?.hasPrefix("the server does not speak HTTP;") == true)
    }

    @Test func `A server that closes the connection during the handshake may answer later`() async throws {
        let server = try BluntServer([])
        let error = await #expect(throws: (any Error).self) {
            try await status("https://localhost:\(server.port)/", HTTPClientTransport())
        }
        #expect(!(error is CodecTransportError), "\(String(describing: error))")
    }

    @Test func `Files that are not certificates or keys are errors that name them`() throws {
        let (key, client, other) = try (
            TLSServer.file("client-key"), TLSServer.file("client"), TLSServer.file("other")
        )
        let cases: [(files: (String?, String?, String?), message: String)] = [
            (("/missing", nil, nil), "transport has the authorityFile '/missing', expected a PEM file of certificates"),
            ((key, nil, nil), "transport has the authorityFile '\(key)', expected a PEM file of certificates"),
            ((nil, "/missing", key), "transport has the certificateFile '/missing', expected a PEM file of"),
            ((nil, client, "/missing"), "transport has the keyFile '/missing', expected the PEM file"),
            ((nil, client, nil), "transport has the keyFile '\(client)', expected"),
            ((nil, other, key), "transport has the keyFile '\(key)', expected the PEM file of the"),
            ((nil, nil, key), "transport has a keyFile but no certificateFile"),
        ]
        for (files, message) in cases {
            let error = #expect(throws: LargePayloadCodecOptionError.self) {
                try HTTPClientTransport(authorityFile: files.0, certificateFile: files.1, keyFile: files.2)
            }
            #expect(error?.description.hasPrefix(message) == true, "\(String(describing: error))")
        }
    }
}
