import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import LargePayloadCodec

@Suite struct PayloadCacheTests {
    private func reference(_ data: [UInt8], _ key: String) -> PayloadReference {
        PayloadReference(
            metadata: TemporalMetadata([]),
            size: UInt64(data.count),
            digest: Digest(of: data),
            key: Array(key.utf8)
        )
    }

    @Test func `It never holds more than its capacity, and what was used last stays`() {
        let cache = PayloadCache(capacity: 250)
        let data = (0..<4).map { _ in randomPayload(100) }
        for index in 0..<2 { cache.insert(Data(data[index]), of: reference(data[index], "\(index)")) }
        #expect(cache.data(of: reference(data[0], "0")) == Data(data[0]))
        cache.insert(Data(data[2]), of: reference(data[2], "2"))
        #expect(cache.data(of: reference(data[1], "1")) == nil)
        #expect(cache.data(of: reference(data[0], "0")) != nil)
        #expect(cache.data(of: reference(data[2], "2")) != nil)
        // The same key again takes no more room.
        for _ in 0..<10 { cache.insert(Data(data[2]), of: reference(data[2], "2")) }
        #expect(cache.data(of: reference(data[0], "0")) != nil)
    }

    @Test func `What is larger than all of it is not kept, and nothing goes for it`() {
        let cache = PayloadCache(capacity: 100)
        let small = randomPayload(100)
        let large = randomPayload(101)
        cache.insert(Data(small), of: reference(small, "small"))
        cache.insert(Data(large), of: reference(large, "large"))
        #expect(cache.data(of: reference(large, "large")) == nil)
        #expect(cache.data(of: reference(small, "small")) == Data(small))
    }

    @Test func `A reference with another size or digest is not answered from it`() {
        let cache = PayloadCache(capacity: 1000)
        let data = randomPayload(100)
        cache.insert(Data(data), of: reference(data, "k"))
        #expect(cache.data(of: reference(Array(data.dropLast()), "k")) == nil)
        #expect(cache.data(of: reference(randomPayload(100), "k")) == nil)
    }

    @Test func `Without it, every decode downloads; with it, each payload once`() async throws {
        for (size, requests) in [(0, 3), (1000, 1)] {
            let service = FakeService.storing()
            let codec = try await LargePayloadCodec(LargePayloadCodec.Options(service) { $0.cacheSize = size })
            let payload = TestPayload(randomPayload(100))
            let encoded = try await codec.encode(payloads: [payload])
            for _ in 0..<3 { #expect(try await codec.decode(payloads: encoded) == [payload]) }
            #expect(service.requests.count - 1 == requests)
        }
    }
}
