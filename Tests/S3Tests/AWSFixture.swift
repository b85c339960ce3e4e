import Foundation
import Logging
import Synchronization
import TestSupport

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

    var credentialsFile: String { home.file(".aws/credentials") }
    var configurationFile: String { home.file(".aws/config") }

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
let noHTTP: SimpleHTTP = { _, url, _, _ throws(SimpleHTTPError) in throw SimpleHTTPError("\(url) was asked") }
