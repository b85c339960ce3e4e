import Foundation
import HTTP
import Synchronization
import TestSupport

@testable import S3

/// An environment that tests can change, a stopped clock, and a folder with the AWS tools' files.
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

    /// The access key of the credentials found now.
    func key(_ http: @escaping SimpleHTTP = noHTTP) throws -> String { try source(http).credentials().accessKey }

    var credentialsFile: String { home.file(".aws/credentials") }
    var configurationFile: String { home.file(".aws/config") }

    func writeCredentials(_ text: String) throws { try write(text.utf8, to: credentialsFile) }
    func writeConfiguration(_ text: String) throws { try write(text.utf8, to: configurationFile) }

    /// Sets variables, or unsets those whose value is `nil`.
    func set(_ variables: KeyValuePairs<String, String?>) {
        for (name, value) in variables { self[name] = value }
    }

    /// The error of a search without result.
    func failure(_ http: @escaping SimpleHTTP = noHTTP) -> String {
        do {
            return "no error, but \(try source(http).credentials())"
        } catch {
            return "\(error)"
        }
    }
}

/// An HTTP function for tests that expect no request.
let noHTTP: SimpleHTTP = { _, url, _, _ in throw TransportError(.unavailable, "\(url) was asked") }

/// Replaces the endpoints that provide credentials.
final class ScriptedHTTP: Sendable {
    private let answer: @Sendable (_ request: String) -> (status: Int, body: String)
    private let asked = Mutex<[(request: String, headers: [String: String])]>([])

    /// - Parameter answer: answers `METHOD URL`.
    init(_ answer: @escaping @Sendable (_ request: String) -> (status: Int, body: String)) {
        self.answer = answer
    }

    var requests: [String] { asked.withLock { $0.map(\.request) } }
    /// The headers of each request, with names in lower case.
    var headers: [[String: String]] { asked.withLock { $0.map(\.headers) } }

    var http: SimpleHTTP {
        { [self] method, url, headers, _ in
            let request = "\(method) \(url)"
            asked.withLock { $0.append((request, Dictionary(headers.map { ($0.name.lowercased(), $0.value) }) { $1 })) }
            let (status, body) = answer(request)
            return (status, Array(body.utf8))
        }
    }
}
