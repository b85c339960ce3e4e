import ArgumentParser
import EnvironmentFile
import Foundation
import TestSupport
import Testing

@testable import lps_worker

/// Stores in a bucket that `--check` and a start refuse. `S3StoreTests` tests the engine's refusals of writes.
@Suite(.runLimit, .enabled(if: SeaweedFS.isInstalled, "needs an engine")) struct BucketCheckTests {
    private let engine: any S3Engine
    private let folder: TemporaryFolder
    private let noKeys = ["AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""]

    init() throws {
        engine = try TestEngine.shared
        folder = try TemporaryFolder()
    }

    /// - Parameters:
    ///   - store: the bucket, and parameters of the URL; `nil` for an existing bucket.
    ///   - environment: variables that replace those of a good start.
    private func check(_ store: String?, _ options: [String]?, _ environment: [String: String]) throws {
        let environment = engine.environment
            .merging(["HOME": folder.path, "AWS_EC2_METADATA_DISABLED": "true"]) { $1 }
            .merging(environment) { $1 }
        let place = "s3://\(store ?? "payloads?endpoint=\(engine.endpoint)")&path-style=true"
        let arguments = ["--store", place] + (options ?? ["--incoming", folder.path])
        let configuration = try Configuration(Settings.parse(arguments), environment: Environment { environment[$0] })
        try Worker.check(configuration, RecordedLog().logger)
    }

    /// - Parameter status: 78 for a wrong configuration, 1 for a failure that may be temporary.
    private func expectRefused(
        _ what: String,
        _ names: String...,
        store: String? = nil,
        options: [String]? = nil,
        environment: [String: String] = [:],
        status: Int32 = 78
    ) throws {
        let error = try #require(throws: (any Error).self, "\(what)") { try check(store, options, environment) }
        for name in names { #expect("\(error)".contains(name), "\(what)") }
        for text in ["\n", engine.secretKey, "not-the-secret", "Signature="] {
            #expect(!"\(error)".contains(text), "\(what)")
        }
        #expect(LPSWorker.exitCode(for: error) == ExitCode(status), "\(what)")
    }

    @Test func `A start that is refused ends with one line that names the cause and no secret`() throws {
        let bucket = "bucket payloads at 127.0.0.1:"
        let endpoint = "?endpoint=\(engine.endpoint)"
        let wrong = ["AWS_SECRET_ACCESS_KEY": "not-the-secret"]
        try expectRefused("a wrong secret", bucket, "SignatureDoesNotMatch", environment: wrong)
        let nobody = ["AWS_ACCESS_KEY_ID": "nobody"]
        try expectRefused("an unknown access key", bucket, "InvalidAccessKeyId", environment: nobody)
        try expectRefused("no credentials", "no credentials", "AWS_ACCESS_KEY_ID", environment: noKeys)
        let half = ["AWS_SECRET_ACCESS_KEY": ""]
        try expectRefused("half of the credentials", "AWS_SECRET_ACCESS_KEY", environment: half)
        let profile = noKeys.merging(["AWS_PROFILE": "nobody"]) { $1 }
        try expectRefused("an unknown profile", "nobody", environment: profile)
        try expectRefused("no such bucket", "bucket nowhere at ", "NoSuchBucket", store: "nowhere\(endpoint)")
        let other = try ScriptedServer(.answer(200, [], "It works"))
        try expectRefused("no S3 engine", bucket, "listing", store: "payloads?endpoint=http://127.0.0.1:\(other.port)")
        try expectRefused("an invalid region", "us east", store: "payloads\(endpoint)&region=us%20east")
        try expectRefused("no such parameter", "pathstyle", store: "payloads\(endpoint)&pathstyle=true")
        try expectRefused("no bucket", "bucket's name is ''", store: endpoint)
        try expectRefused("no folder for uploads", "--incoming", options: [])
        let none = folder.file("none")
        try expectRefused("a missing folder for uploads", none, options: ["--incoming", none])
        let (incoming, quotas) = (["--incoming", folder.path], folder.file("quotas"))
        try write("[*]\nquota = 1g\n".utf8, to: quotas)
        try expectRefused("quotas", "quotas", "LPS_POLICY", options: incoming + ["--policy", quotas])
        let long = ["--max-payload", "5368709121"]
        try expectRefused("payloads over 5 GiB", "--max-payload", "5368709121", "5368709120", options: incoming + long)
        // Failures that may be temporary.
        let nothing = "http://127.0.0.1:1"
        try expectRefused("nothing listens", "127.0.0.1:1:", store: "payloads?endpoint=\(nothing)", status: 1)
        let unknown = "nowhere.invalid"
        try expectRefused("an unknown host", unknown, store: "payloads?endpoint=http://\(unknown)", status: 1)
    }

    @Test func `A worker finds endpoint and credentials where the AWS tools do, or in its configuration file`()
        throws
    {
        let (config, credentials, file) = (folder.file("config"), folder.file("credentials"), folder.file("lps.conf"))
        let endpoint = "endpoint_url = \(engine.endpoint)"
        try write("[default]\nservices = local\n[services local]\ns3 =\n  \(endpoint)\n".utf8, to: config)
        try check("payloads?", nil, ["AWS_CONFIG_FILE": config])
        let (key, secret) = (engine.accessKey, engine.secretKey)
        let profiles = """
            [default]
            aws_access_key_id = nobody
            aws_secret_access_key = nothing
            [payloads]
            aws_access_key_id = \(key)
            aws_secret_access_key = \(secret)
            """
        try write(profiles.utf8, to: credentials)
        let shared = ["AWS_SHARED_CREDENTIALS_FILE": credentials, "AWS_PROFILE": "payloads"]
        try check(nil, nil, noKeys.merging(shared) { $1 })
        try write("AWS_ACCESS_KEY_ID=\(key)\nAWS_SECRET_ACCESS_KEY='\(secret)'\n".utf8, to: file)
        try check(nil, ["--incoming", folder.path, "--config", file], noKeys)
    }
}
