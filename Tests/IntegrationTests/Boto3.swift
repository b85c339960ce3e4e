import Foundation
import TestSupport

/// boto3, a third-party S3 client, run by the Python interpreter that `LPS_PYTHON` names.
enum Boto3 {
    /// Runs a script that can use the client `s3`, `bucket` and `arguments`.
    @discardableResult
    static func run(_ script: String, _ engine: any S3Engine, bucket: String, _ arguments: [String]) throws -> String {
        guard let python = ProcessInfo.processInfo.environment["LPS_PYTHON"] else {
            throw NeverHappened(what: "LPS_PYTHON names a Python with boto3")
        }
        let prelude = """
            import boto3, os, sys
            from boto3.s3.transfer import TransferConfig
            from botocore.config import Config
            bucket, arguments = sys.argv[1], sys.argv[2:]
            s3 = boto3.client("s3", endpoint_url="\(engine.endpoint)", region_name="\(engine.region)",
                              config=Config(s3={"addressing_style": "path"}))

            """
        let ran = try TestSupport.run(
            python,
            ["-c", prelude + script, bucket] + arguments,
            environment: engine.environment
        )
        guard ran.status == 0 else { throw NeverHappened(what: "boto3: \(ran.output)") }
        return ran.output
    }
}
