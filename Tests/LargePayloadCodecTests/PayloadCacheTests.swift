import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import LargePayloadCodec

@Suite(.runLimit) struct PayloadCacheTests {
    private func reference(_ data: [UInt8], _ key: String) -> PayloadReference {
        PayloadReference(
            metadata: TemporalMetadata([]),
            size: UInt64(data.count),
            digest: Digest(of: data),
            key: Array(key.utf8)
        )
    }

    private func holds(_ cache: PayloadCache, _ data: [UInt8], _ key: String) -> Bool {
        cache.data(of: reference(data, key)) == Data(data)
    }

    @Test func `The least recently used payloads are evicted`() {
        // There is room for ten; the eleventh evicts a quarter of the capacity.
        let cache = PayloadCache(capacity: 10 * (1000 + 1 + PayloadCache.overhead))
        let data = (0..<11).map { _ in randomPayload(1000) }
        let keys = (0..<11).map { String(UnicodeScalar(UInt8(97 + $0))) }
        for index in 0..<10 { cache.insert(Data(data[index]), of: reference(data[index], keys[index])) }
        let all = (0..<10).allSatisfy { holds(cache, data[$0], keys[$0]) }
        #expect(all)
        // Inserting the same key again takes no more room.
        for _ in 0..<10 { cache.insert(Data(data[5]), of: reference(data[5], keys[5])) }
        #expect(holds(cache, data[0], keys[0]))
        cache.insert(Data(data[10]), of: reference(data[10], keys[10]))
        let kept = (0..<11).filter { holds(cache, data[$0], keys[$0]) }
        #expect(kept == [0, 4, 5, 6, 7, 8, 9, 10] || kept == [0, 5, 6, 7, 8, 9, 10], "\(kept)")
    }

    @Test func `Small and empty payloads count with their overhead`() {
        let capacity = 100_000
        let cache = PayloadCache(capacity: capacity)
        let keys = (0..<1000).map { "key \($0)" }
        for key in keys { cache.insert(Data(), of: reference([], key)) }
        let kept = keys.filter { holds(cache, [], $0) }.count
        #expect(kept > 0)
        #expect(kept * PayloadCache.overhead <= capacity)
    }

    @Test func `A payload larger than the capacity is not cached and evicts nothing`() {
        let cache = PayloadCache(capacity: 1000)
        let small = randomPayload(100)
        let large = randomPayload(1000)
        cache.insert(Data(small), of: reference(small, "small"))
        cache.insert(Data(large), of: reference(large, "large"))
        #expect(!holds(cache, large, "large"))
        #expect(holds(cache, small, "small"))
    }

    @Test func `A reference with another size or digest is a miss`() {
        let cache = PayloadCache(capacity: 1000)
        let data = randomPayload(100)
        cache.insert(Data(data), of: reference(data, "k"))
        #expect(cache.data(of: reference(Array(data.dropLast()), "k")) == nil)
        #expect(cache.data(of: reference(randomPayload(100), "k")) == nil)
    }

    @Test func `Without a cache every decode downloads, with one each payload once`() async throws {
        for (size, requests) in [(0, 3), (10_000, 1)] {
            let service = FakeService.storing()
            let payload = TestPayload(randomPayload(100))
            let encoded = try await service.codec().encode(payloads: [payload])
            let codec = try await service.codec { $0.cacheSize = size }
            for _ in 0..<3 { #expect(try await codec.decode(payloads: encoded) == [payload]) }
            #expect(service.requests.count - 1 == requests)
        }
    }

    @Test func `A payload that the codec uploaded is not downloaded`() async throws {
        let service = FakeService.storing()
        let codec = try await service.codec { $0.cacheSize = 10_000 }
        let payload = TestPayload(randomPayload(100))
        let encoded = try await codec.encode(payloads: [payload])
        #expect(try await codec.decode(payloads: encoded) == [payload])
        #expect(service.requests.map(\.method) == ["PUT"])
    }
}
