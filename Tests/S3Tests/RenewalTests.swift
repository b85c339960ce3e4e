import Foundation
import Synchronization
import TestSupport
import Testing

@testable import S3

@Suite(.runLimit) struct RenewalTests {
    /// An endpoint whose credentials are numbered and valid for an hour.
    private final class Endpoint: Sendable {
        let aws: AWSFixture
        /// Called before each answer, with the number of previous answers.
        private let hook: @Sendable (Int) -> Void
        private let state = Mutex<(count: Int, status: Int)>((0, 200))

        init(_ hook: @escaping @Sendable (Int) -> Void = { _ in }) throws {
            self.hook = hook
            aws = try AWSFixture()
            aws["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/"
        }

        var count: Int { state.withLock { $0.count } }

        func answer(_ status: Int) { state.withLock { $0.status = status } }

        func source() -> AWSCredentials {
            aws.source { [self] _, _, _, _ in
                hook(count)
                let (count, status) = state.withLock { state in
                    state.count += 1
                    return state
                }
                let end = Date(timeIntervalSince1970: Double(aws.now + 3600)).ISO8601Format()
                return (status, Array(EndpointCredentialsTests.document("AKI\(count)", expiration: end).utf8))
            }
        }
    }

    private func written(_ key: String) -> String {
        "[default]\naws_access_key_id = \(key)\naws_secret_access_key = hunter2\n"
    }

    // MARK: Expiration

    @Test func `Credentials are requested once, and renewed ten minutes before they expire`() throws {
        let endpoint = try Endpoint()
        let source = endpoint.source()
        #expect(try source.credentials().accessKey == "AKI1")
        endpoint.aws.pass(3000)
        #expect(try source.credentials().accessKey == "AKI1")
        #expect(endpoint.count == 1)
        endpoint.aws.pass(1)
        #expect(try source.credentials().accessKey == "AKI2")
        #expect(try source.credentials().accessKey == "AKI2")
        #expect(endpoint.count == 2)
    }

    @Test func `A failed renewal keeps valid credentials, is retried after a pause and logged once`() throws {
        let endpoint = try Endpoint()
        let aws = endpoint.aws
        let source = endpoint.source()
        _ = try source.credentials()
        endpoint.answer(500)
        aws.pass(3100)
        for _ in 0..<3 { #expect(try source.credentials().accessKey == "AKI1") }
        #expect(endpoint.count == 2)
        aws.pass(AWSCredentials.pause)
        for _ in 0..<3 { #expect(try source.credentials().accessKey == "AKI1") }
        #expect(endpoint.count == 3)
        #expect(
            aws.log.lines == [
                "warning credentials not renewed, old ones stay in use "
                    + "[\"error\": the container's credentials endpoint answered status 500]"
            ]
        )
        // After they expire, there are none.
        aws.pass(500)
        #expect(throws: CredentialsError("the container's credentials endpoint answered status 500", mayPass: true)) {
            try source.credentials()
        }
        #expect(endpoint.count == 4)
        // Callers in the next moment get the same failure without a request.
        #expect(throws: CredentialsError.self) { try source.credentials() }
        #expect(endpoint.count == 4)
        endpoint.answer(200)
        aws.pass(AWSCredentials.failurePause)
        #expect(try source.credentials().accessKey == "AKI5")
        // A failure after a success is logged again.
        endpoint.answer(503)
        aws.pass(3100)
        #expect(try source.credentials().accessKey == "AKI5")
        #expect(aws.log.lines.count == 2)
    }

    @Test func `One thread renews, while others use the old credentials`() throws {
        let isAsked = DispatchSemaphore(value: 0), mayAnswer = DispatchSemaphore(value: 0)
        let endpoint = try Endpoint { count in
            guard count == 1 else { return }
            isAsked.signal()
            _ = mayAnswer.wait(timeout: .now() + 10)
        }
        let source = endpoint.source()
        _ = try source.credentials()
        endpoint.aws.pass(3100)
        let renewed = Mutex<String?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        Thread {
            let key = try? source.credentials().accessKey
            renewed.withLock { $0 = key }
            isDone.signal()
        }
        .start()
        #expect(isAsked.wait(timeout: .now() + 10) == .success)
        // The renewal can take any time.
        endpoint.aws.pass(AWSCredentials.pause)
        for _ in 0..<10 { #expect(try source.credentials().accessKey == "AKI1") }
        mayAnswer.signal()
        #expect(isDone.wait(timeout: .now() + 10) == .success)
        #expect(renewed.withLock { $0 } == "AKI2")
        #expect(try source.credentials().accessKey == "AKI2")
        #expect(endpoint.count == 2)
    }

    @Test func `Threads without credentials wait for the thread that searches`() throws {
        let endpoint = try Endpoint()
        let source = endpoint.source()
        try concurrently(8) { _ in
            let key = try source.credentials().accessKey
            #expect(key == "AKI1")
        }
        #expect(endpoint.count == 1)
    }

    // MARK: Refusal

    @Test func `Refused credentials are read again, after a pause`() throws {
        let endpoint = try Endpoint()
        let source = endpoint.source()
        let first = try source.credentials()
        source.refusedByEngine(first)
        let second = try source.credentials()
        #expect(second.accessKey == "AKI2")
        source.refusedByEngine(second)
        #expect(try source.credentials().accessKey == "AKI2")
        endpoint.aws.pass(AWSCredentials.pause)
        #expect(try source.credentials().accessKey == "AKI3")
        // Another thread may report credentials that are no longer in use.
        endpoint.aws.pass(AWSCredentials.pause)
        source.refusedByEngine(second)
        #expect(try source.credentials().accessKey == "AKI3")
        #expect(endpoint.count == 3)
    }

    @Test func `Refused credentials are read again from an unchanged file`() throws {
        let aws = try AWSFixture()
        for (file, key) in [("a", "AKI1"), ("b", "AKI2")] { try write(written(key).utf8, to: aws.home.file(file)) }
        aws["AWS_SHARED_CREDENTIALS_FILE"] = aws.home.file("a")
        let source = aws.source()
        let first = try source.credentials()
        aws["AWS_SHARED_CREDENTIALS_FILE"] = aws.home.file("b")
        aws.pass(100)
        #expect(try source.credentials().accessKey == "AKI1")
        source.refusedByEngine(first)
        #expect(try source.credentials().accessKey == "AKI2")
    }

    // MARK: Files

    @Test func `Changed files are read again`() throws {
        let aws = try AWSFixture()
        try aws.writeCredentials(written("AKI1"))
        let source = aws.source()
        #expect(try source.credentials().accessKey == "AKI1")
        // The new file is longer, because the kernel's file clock may not have advanced.
        try aws.writeCredentials((written("AKI2") + "\n"))
        aws.pass(1)
        #expect(try source.credentials().accessKey == "AKI2")
        // The file is replaced, and a missing file appears.
        try write(written("AKI3").utf8, to: aws.home.file("new"))
        #expect(rename(aws.home.file("new"), aws.credentialsFile) == 0)
        aws.pass(1)
        #expect(try source.credentials().accessKey == "AKI3")
        try aws.writeConfiguration("[default]\nrole_arn = a\n")
        aws.pass(1)
        #expect(try source.credentials().accessKey == "AKI3")
        #expect(aws.log.text.contains("has role_arn"))
    }

    @Test func `An invalid file keeps the old credentials until it changes`() throws {
        let aws = try AWSFixture()
        try aws.writeCredentials(written("AKI1"))
        let source = aws.source()
        _ = try source.credentials()
        for text in ["[default]\nhunter2", "[default]\naws_access_key_id = AKI2", "", "[other]\n"] {
            try aws.writeCredentials(text)
            aws.pass(1)
            #expect(try source.credentials().accessKey == "AKI1")
        }
        try FileManager.default.removeItem(atPath: aws.credentialsFile)
        aws.pass(1)
        #expect(try source.credentials().accessKey == "AKI1")
        #expect(aws.log.lines.count == 1)
        #expect(!aws.log.text.contains("hunter2"))
        try aws.writeCredentials(written("AKI3"))
        aws.pass(1)
        #expect(try source.credentials().accessKey == "AKI3")
    }
}
