import Foundation
import Logging
import MetricsTestKit
import TestSupport
import Testing

@testable import LargePayloadCodec

@Suite(.runLimit) struct RetryTests {
    private let payload = TestPayload(randomPayload(100))
    private static let stored = CodecResponse(status: 201, body: Data(#"{"Key":"/k"}"#.utf8))
    /// A service that does not answer within ten minutes.
    private static var hanging: FakeService {
        FakeService { _, _ in
            try await Task.sleep(for: .seconds(600))
            return stored
        }
    }

    @Test(arguments: [429, 502, 503, 504])
    func `A transient status is retried`(status: Int) async throws {
        let service = FakeService { _, number in number < 3 ? CodecResponse(status: status) : Self.stored }
        let codec = try await service.codec()
        _ = try await codec.encode(payloads: [payload])
        #expect(service.requests.count == 4)
        #expect(service.requests.allSatisfy { $0.body == payload.data })
    }

    @Test(arguments: [Broken(), CancellationError()] as [any Error])
    func `A request without an answer is retried, even if the transport reports a closed connection as cancelled`(
        error: any Error
    ) async throws {
        let service = FakeService { _, number in
            guard number > 0 else { throw error }
            return Self.stored
        }
        _ = try await service.codec().encode(payloads: [payload])
        #expect(service.requests.count == 2)
    }

    @Test func `At the time limit, the last failure is thrown`() async throws {
        let away = FakeService { _, _ in throw Broken() }
        let error = try await away.failure(encoding: payload) { $0.retries.giveUpAfter = .seconds(2) }
        #expect(error?.code == .noAnswer)
        #expect(error?.cause is Broken)
        let busy = FakeService { _, _ in CodecResponse(status: 503, body: Data("busy".utf8)) }
        let refused = try await busy.failure(encoding: payload) { $0.retries = .never }
        #expect(refused?.status == 503)
        #expect(refused?.message == "busy")
        #expect(busy.requests.count == 1)
    }

    @Test func `An attempt that exceeds its time limit is cancelled and retried`() async throws {
        let service = FakeService { _, number in
            if number == 0 { try await Task.sleep(for: .seconds(600)) }
            return Self.stored
        }
        _ = try await service.codec { $0.requestTimeout = .milliseconds(50) }.encode(payloads: [payload])
        // Under load, the second attempt may be too slow as well.
        #expect(service.requests.count >= 2)
        let error = try await Self.hanging.failure(encoding: payload) {
            $0.requestTimeout = .milliseconds(50)
            $0.retries = .never
        }
        #expect(error?.code == .noAnswer)
        #expect(error?.message == "no complete answer within 0.05 seconds")
    }

    @Test(arguments: [400, 401, 403, 404, 411, 412, 413])
    func `A permanent status is not retried`(status: Int) async throws {
        let service = FakeService { _, _ in CodecResponse(status: status) }
        #expect(try await service.failure(encoding: payload)?.status == status)
        #expect(service.requests.count == 1)
    }

    @Test(arguments: [500, 507])
    func `An upload is repeated after 500 and 507, a download is not`(status: Int) async throws {
        let service = FakeService { _, number in number == 0 ? CodecResponse(status: status) : Self.stored }
        let encoded = try await service.codec().encode(payloads: [payload])
        #expect(service.requests.count == 2)
        let away = FakeService { _, _ in CodecResponse(status: status) }
        _ = try await away.codec().decode(payloads: encoded)
        #expect(away.requests.count == 1)
    }

    @Test func `Delays are random below a limit that doubles, or follow Retry-After up to the maximum delay`() {
        let policy = LargePayloadCodec.RetryPolicy(initialDelay: .milliseconds(100), maximumDelay: .seconds(1))
        for (attempt, limit) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)] {
            let delays = (0..<200).map { _ in policy.delay(afterAttempt: attempt, retryAfter: nil) }
            #expect(delays.allSatisfy { $0 >= .zero && $0 <= .milliseconds(limit) })
            #expect(Set(delays).count > 100)
            #expect(delays.contains { $0 > .milliseconds(limit / 2) })
        }
        for (asked, waited) in [(Duration.milliseconds(700), 700), (.seconds(3600), 1000)] {
            let delays = (0..<200).map { _ in policy.delay(afterAttempt: 1, retryAfter: asked) }
            #expect(delays.allSatisfy { $0 >= .milliseconds(waited) && $0 <= .milliseconds(waited) * 1.5 })
            #expect(Set(delays).count > 100, "not all clients return at the same time")
        }
    }

    @Test func `The codec waits as long as Retry-After asks`() async throws {
        let service = FakeService { _, number in
            number == 0 ? CodecResponse(status: 503, headers: [("retry-AFTER", "1")]) : Self.stored
        }
        let codec = try await service.codec { $0.retries.maximumDelay = .milliseconds(300) }
        let start = ContinuousClock.now
        _ = try await codec.encode(payloads: [payload])
        #expect(start.duration(to: .now) >= .milliseconds(300))
    }

    @Test func `A cancelled call ends at once, during a request and between two`() async throws {
        for service in [Self.hanging, FakeService { _, _ in throw Broken() }] {
            let codec = try await service.codec {
                $0.retries = .init(
                    giveUpAfter: .seconds(1_000_000),
                    initialDelay: .seconds(600),
                    maximumDelay: .seconds(600)
                )
            }
            let call = Task { try await codec.encode(payloads: [payload]) }
            while service.requests.isEmpty { await Task.yield() }
            call.cancel()
            await #expect(throws: CancellationError.self) { try await call.value }
            #expect(service.requests.count == 1)
        }
    }

    @Test func `A cancelled task throws CancellationError, whatever the transport throws`() async throws {
        let service = FakeService { _, _ in
            try? await Task.sleep(for: .seconds(600))
            throw Broken()
        }
        let codec = try await service.codec()
        let call = Task { try await codec.encode(payloads: [payload]) }
        while service.requests.isEmpty { await Task.yield() }
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
    }

    @Test func `The first upload that fails ends the call and cancels the others`() async throws {
        let service = FakeService { request, _ in
            if request.body?.count == 100 { return CodecResponse(status: 400) }
            try await Task.sleep(for: .seconds(600))
            return Self.stored
        }
        #expect(try await service.failure(encoding: TestPayload(randomPayload(200)), payload)?.status == 400)
    }

    @Test func `As many requests of all calls run concurrently as the limit allows, and no more`() async throws {
        let running = Counter(), peak = Counter()
        let service = FakeService { _, _ in
            peak.raise(to: running.add(1))
            // The three that may run concurrently wait for each other.
            for _ in 0..<10_000 where peak.value < 3 { try await Task.sleep(for: .milliseconds(1)) }
            try await Task.sleep(for: .milliseconds(20))
            _ = running.add(-1)
            return Self.stored
        }
        let codec = try await service.codec { $0.maximumConcurrentRequests = 3 }
        try await withThrowingTaskGroup(of: Void.self) { calls in
            for call in 0..<10 {
                calls.addTask {
                    let payloads = [TestPayload(randomPayload(100 + call)), TestPayload(randomPayload(200 + call))]
                    let encoded = try await codec.encode(payloads: payloads)
                    #expect(encoded.count == 2)
                }
            }
            try await calls.waitForAll()
        }
        #expect(service.requests.count == 20)
        #expect(peak.value == 3)
    }

    @Test func `Waiting for a turn is in no metric`() async throws {
        let metrics = TestMetrics()
        let service = FakeService { _, _ in
            try await Task.sleep(for: .milliseconds(20))
            return Self.stored
        }
        let codec = try await service.codec {
            $0.maximumConcurrentRequests = 1
            $0.metrics = metrics
        }
        let start = ContinuousClock.now
        _ = try await codec.encode(payloads: (0..<20).map { TestPayload(randomPayload(100 + $0)) })
        let elapsed = start.duration(to: .now)
        let durations = try metrics.expectTimer("large_payload_codec_request_duration", [("operation", "upload")])
        #expect(durations.values.count == 20)
        // The requests ran one after the other.
        #expect(Duration.nanoseconds(durations.values.reduce(0, +)) <= elapsed)
    }

    @Test func `A call that waits for its turn ends at once when it is cancelled`() async throws {
        let service = Self.hanging
        let codec = try await service.codec { $0.maximumConcurrentRequests = 1 }
        let first = Task { try await codec.encode(payloads: [payload]) }
        while service.requests.isEmpty { await Task.yield() }
        let second = Task.immediate { try await codec.encode(payloads: [payload]) }
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        #expect(service.requests.count == 1)
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
    }

    @Test func `The hook wraps every attempt and can change the request`() async throws {
        let service = FakeService { request, number in
            #expect(request.headers.contains { $0 == ("Authorization", "token \(number)") })
            return number == 0 ? CodecResponse(status: 503) : Self.stored
        }
        let statuses = Counter(), attempts = Counter()
        let codec = try await service.codec {
            $0.hook = { request, next in
                var request = request
                request.headers.append(("Authorization", "token \(attempts.add(1) - 1)"))
                let response = try await next(request)
                _ = statuses.add(response.status)
                return response
            }
        }
        _ = try await codec.encode(payloads: [payload])
        #expect(attempts.value == 2)
        #expect(statuses.value == 503 + 201)
    }

    @Test func `An error of the hook itself ends the call`() async throws {
        let service = FakeService { _, _ in Self.stored }
        let codec = try await service.codec { $0.hook = { _, _ in throw Broken() } }
        await #expect(throws: Broken.self) { try await codec.encode(payloads: [payload]) }
        #expect(service.requests.isEmpty)
    }

    @Test func `A hook can ask for another attempt, which is within the time limit`() async throws {
        let service = FakeService { request, _ in
            CodecResponse(status: request.headers.contains { $0.value == "new" } ? 201 : 401, body: Self.stored.body)
        }
        let token = Counter()
        let hook: LargePayloadCodec.Options.Hook = { request, next in
            var request = request
            request.headers.append(("Authorization", token.value == 0 ? "old" : "new"))
            let response = try await next(request)
            if response.status == 401 {
                token.add()
                throw CodecRetryError(Broken())
            }
            return response
        }
        _ = try await service.codec { $0.hook = hook }.encode(payloads: [payload])
        #expect(service.requests.count == 2)
        let error = try await service.failure(encoding: payload) {
            $0.hook = { _, _ in throw CodecRetryError(Broken()) }
            $0.retries = .never
        }
        #expect(error?.code == .noAnswer)
        #expect(error?.cause is Broken)
    }

    @Test func `A hook that hangs is abandoned at the time limit, even if it ignores cancellation`() async throws {
        let service = FakeService { _, _ in Self.stored }
        let hanging = Task { try await Task.sleep(for: .seconds(600)) }
        defer { hanging.cancel() }
        let error = try await service.failure(encoding: payload) {
            $0.requestTimeout = .milliseconds(50)
            $0.retries = .never
            $0.hook = { request, next in
                // The cancellation of a task that waits for another one has no effect.
                try await hanging.value
                return try await next(request)
            }
        }
        #expect(error?.code == .noAnswer)
        #expect(error?.message == "no complete answer within 0.05 seconds")
        #expect(service.requests.isEmpty)
    }

    @Test func `Requests, retries, bytes and cache hits are counted, and retries are logged`() async throws {
        let metrics = TestMetrics()
        let log = RecordedLog()
        let storing = FakeService.storing()
        let service = FakeService { request, number in
            guard number > 0 else { return CodecResponse(status: 503, body: Data("busy".utf8)) }
            return try await storing.send(request, timeout: .seconds(1))
        }
        let codec = try await service.codec {
            $0.metrics = metrics
            $0.logger = log.logger
            $0.cacheSize = 10_000
        }
        let encoded = try await codec.encode(payloads: [payload])
        let other = TestPayload(randomPayload(100))
        let elsewhere = try await storing.codec().encode(payloads: [other])
        #expect(try await codec.decode(payloads: encoded + elsewhere) == [payload, other])
        func count(_ label: String, _ dimensions: [(String, String)]) throws -> Int64 {
            try metrics.expectCounter("large_payload_codec_\(label)", dimensions).totalValue
        }
        #expect(try count("requests", [("operation", "upload"), ("status", "503")]) == 1)
        #expect(try count("requests", [("operation", "upload"), ("status", "201")]) == 1)
        #expect(try count("requests", [("operation", "download"), ("status", "200")]) == 1)
        #expect(try count("retries", [("operation", "upload")]) == 1)
        #expect(try count("bytes", [("operation", "upload")]) == 100)
        #expect(try count("bytes", [("operation", "download")]) == 100)
        #expect(try count("cache", [("result", "hit")]) == 1)
        #expect(try count("cache", [("result", "miss")]) == 1)
        let duration = try metrics.expectTimer("large_payload_codec_request_duration", [("operation", "upload")])
        #expect(duration.values.count == 2)
        let warnings = log.lines.filter { $0.hasPrefix("warning ") }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("upload failed with status 503: busy") == true)
    }

    @Test func `An error that the transport marks as permanent is not retried`() async throws {
        let service = FakeService { _, _ in throw CodecTransportError(Broken()) }
        let error = try await service.failure(encoding: payload)
        #expect(error?.code == .noAnswer)
        #expect(error?.cause is Broken)
        #expect(service.requests.count == 1)
    }

    @Test func `All attempts together stay within the time limit, even if one hangs`() async throws {
        let service = FakeService { _, number in
            guard number > 0 else { throw Broken() }
            try await Task.sleep(for: .seconds(600))
            return Self.stored
        }
        let error = try await service.failure(encoding: payload) {
            $0.requestTimeout = .seconds(3600)
            $0.retries.giveUpAfter = .milliseconds(300)
        }
        #expect(error?.code == .noAnswer)
    }
}
