import Foundation
import Synchronization
import TestSupport
import Testing

@testable import S3

/// An environment that changes, a clock that stands still, and the AWS tools' files in a folder of their own.
final class AWSFixture: Sendable {
    let home: TemporaryFolder
    let log = RecordedLog()
    private let state = Mutex<(variables: [String: String], now: Int)>(([:], 1_000_000))

    init(_ variables: [String: String] = ["AWS_EC2_METADATA_DISABLED": "true"]) throws {
        home = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: home.file(".aws"), withIntermediateDirectories: true)
        state.withLock { $0.variables = variables.merging(["HOME": home.path]) { given, _ in given } }
    }

    subscript(name: String) -> String? {
        get { state.withLock { $0.variables[name] } }
        set { state.withLock { $0.variables[name] = newValue } }
    }

    var now: Int { state.withLock { $0.now } }

    func pass(_ seconds: Int) {
        state.withLock { $0.now += seconds }
    }

    func source(_ http: @escaping SimpleHTTP = noHTTP) -> AWSCredentials {
        AWSCredentials(environment: { self[$0] }, http: http, now: { self.now }, logger: log.logger)
    }

    /// The access key of what is found now.
    func key(_ http: @escaping SimpleHTTP = noHTTP) throws -> String { try source(http).credentials().accessKey }

    var credentialsFile: String { home.file(".aws/credentials") }
    var configurationFile: String { home.file(".aws/config") }

    func writeCredentials(_ text: String) throws { try write(text.utf8, to: credentialsFile) }
    func writeConfiguration(_ text: String) throws { try write(text.utf8, to: configurationFile) }

    /// Why there are no credentials.
    func failure(_ http: @escaping SimpleHTTP = noHTTP) -> String {
        do {
            return "no error, but \(try source(http).credentials())"
        } catch {
            return "\(error)"
        }
    }
}

/// Where no request is expected.
let noHTTP: SimpleHTTP = { _, url, _, _ in throw TransportError(.refused, "\(url) was asked") }

/// A server in the place of the endpoints that give out credentials.
struct CredentialsServer {
    private let server: ScriptedServer

    init(_ answer: @escaping @Sendable (ScriptedServer.Request) -> (status: Int, body: String)) throws {
        server = try ScriptedServer { _, request in
            let (status, body) = answer(request)
            return [.answer(status, [], body)]
        }
    }

    var port: UInt16 { server.port }
    var requests: [ScriptedServer.Request] { server.requests }
    var lines: [String] { server.lines }

    /// Asks this server, whatever host a URL has.
    var http: SimpleHTTP {
        { [server] method, url, headers, timeout in
            let parts = try #require(URLComponents(string: url))
            let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
            let target = path + (parts.percentEncodedQuery.map { "?" + $0 } ?? "")
            let host = [(name: "host", value: try #require(parts.host))]
            return try simpleHTTP(method, "http://127.0.0.1:\(server.port)\(target)", headers + host, timeout)
        }
    }
}
