#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Sends requests with async-http-client, which reuses connections and supports TLS and HTTP/2.
///
/// Without a client of your own, requests go through the proxy that the environment names when the transport is created,
/// as with curl: `https_proxy` or `HTTPS_PROXY`, for an `http://` service `http_proxy`, else `all_proxy` or `ALL_PROXY`;
/// not for hosts in `no_proxy` or `NO_PROXY`. A proxy is `http://[USER:PASSWORD@]HOST[:PORT]` or
/// `socks5://HOST[:PORT]`, and the port is 1080 by default.
public struct HTTPClientTransport: CodecTransport {
    /// The recommended configuration for a client of the service.
    ///
    /// The client does not retry failed connections, because the codec does so, within its own time limit. It does not
    /// follow redirects, so that a payload is never sent to a server that was not configured. A connection must be
    /// established within 10 seconds. The number of connections is not limited: the codec limits the requests, and its
    /// requests that wait for their turn do not count as failures to connect.
    public static var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .seconds(10)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 65_536
        return configuration
    }

    private enum Clients {
        case shared(EnvironmentProxy)
        case own(HTTPClient)
    }

    private let clients: Clients
    /// Overrides the client's configuration.
    private let tls: TLSConfiguration?

    /// Creates a transport with the client that all codecs of the process share.
    public init() {
        self.init(environment: ProcessInfo.processInfo.environment, tls: nil)
    }

    /// Creates a transport with the client that all codecs of the process share, and with its own certificates.
    ///
    /// The files are in PEM format. They are read now: after a renewal, create a new codec.
    ///
    /// - Parameters:
    ///   - authorityFile: Certificates of the authorities to trust, instead of the system's. `nil` for the system's.
    ///   - certificateFile: The client's certificate, followed by those of intermediate authorities. `nil` for none.
    ///   - keyFile: The private key of that certificate. `nil` if `certificateFile` also contains the key.
    /// - Throws: ``LargePayloadCodecOptionError`` that names the file.
    public init(
        authorityFile: String?,
        certificateFile: String? = nil,
        keyFile: String? = nil
    ) throws(LargePayloadCodecOptionError) {
        let tls = try TLSConfiguration(authorityFile, certificateFile, keyFile)
        self.init(environment: ProcessInfo.processInfo.environment, tls: tls)
    }

    /// Creates a transport with a client of your own, for example with other timeouts. The environment has no effect.
    ///
    /// - Parameter client: The client. The caller shuts it down. Start from ``configuration`` to configure it.
    public init(_ client: HTTPClient) {
        clients = .own(client)
        tls = nil
    }

    init(environment: [String: String], tls: TLSConfiguration?) {
        clients = .shared(EnvironmentProxy(environment))
        self.tls = tls
    }

    /// Sends a request once and returns the answer.
    ///
    /// - Throws: The error of async-http-client, which reports some closed connections as `cancelled`. If a retry
    ///   cannot help, ``CodecTransportError`` wraps that error and says what is wrong.
    public func send(_ request: CodecRequest, timeout: Duration) async throws -> CodecResponse {
        do {
            return try await answer(to: request, timeout)
        } catch let error as CodecTransportError {
            throw error
        } catch {
            guard let fault = PermanentFault.message(of: error, url: request.url) else { throw error }
            throw CodecTransportError(error, message: fault)
        }
    }

    private func answer(to request: CodecRequest, _ timeout: Duration) async throws -> CodecResponse {
        let client =
            switch clients {
            case .own(let client): client
            case .shared(let environment): SharedClients.client(through: try environment.proxy(for: request.url))
            }
        let response = try await client.execute(
            HTTPClientRequest(request, tls),
            deadline: .now() + TimeAmount(timeout)
        )
        var body = Data()
        var isTruncated = false
        for try await piece in response.body {
            let room = request.maximumResponseSize - body.count
            isTruncated = piece.readableBytes > room
            body.append(contentsOf: piece.readableBytesView.prefix(room))
            // Leaving the loop cancels the request.
            if isTruncated { break }
        }
        // A body that ended because the task was cancelled is incomplete.
        try Task.checkCancellation()
        return CodecResponse(
            status: Int(response.status.code),
            headers: response.headers.map { ($0.name, $0.value) },
            body: body,
            isTruncated: isTruncated
        )
    }
}

extension HTTPClientRequest {
    fileprivate init(_ request: CodecRequest, _ tls: TLSConfiguration?) {
        self.init(url: request.url)
        method = HTTPMethod(rawValue: request.method)
        headers = HTTPHeaders(request.headers.map { ($0.name, $0.value) })
        // Web servers refuse a socket's path as a host name.
        if request.url.lowercased().hasPrefix("http+unix:") || request.url.lowercased().hasPrefix("https+unix:") {
            headers.add(name: "Host", value: "localhost")
        }
        body = request.body.map { .bytes($0, length: .known(Int64($0.count))) }
        tlsConfiguration = tls
    }
}

extension TLSConfiguration {
    fileprivate init(
        _ authorityFile: String?,
        _ certificateFile: String?,
        _ keyFile: String?
    ) throws(LargePayloadCodecOptionError) {
        self = .makeClientConfiguration()
        if let authorityFile {
            trustRoots = .certificates(try Self.certificates("authorityFile", authorityFile))
        }
        guard let certificateFile else {
            guard keyFile == nil else {
                throw LargePayloadCodecOptionError("transport", "has a keyFile but no certificateFile")
            }
            return
        }
        certificateChain = try Self.certificates("certificateFile", certificateFile).map { .certificate($0) }
        do {
            privateKey = .privateKey(try NIOSSLPrivateKey(file: keyFile ?? certificateFile, format: .pem))
            // Fails if the key is not the certificate's.
            _ = try NIOSSLContext(configuration: self)
        } catch {
            throw LargePayloadCodecOptionError(
                "transport",
                "has the keyFile '\(keyFile ?? certificateFile)', expected the PEM file of the certificate's private "
                    + "key: \(error)"
            )
        }
    }

    private static func certificates(
        _ name: String,
        _ file: String
    ) throws(LargePayloadCodecOptionError) -> [NIOSSLCertificate] {
        let reason: String
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(file)
            if !certificates.isEmpty { return certificates }
            reason = "it contains none"
        } catch {
            reason = "\(error)"
        }
        throw LargePayloadCodecOptionError(
            "transport",
            "has the \(name) '\(file)', expected a PEM file of certificates: \(reason)"
        )
    }
}
