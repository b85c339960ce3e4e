import Foundation
import TestSupport

/// A payload generated from a number, so that contents need not be stored. Different numbers give different payloads.
struct SoakPayload: Sendable {
    static let empty = SoakPayload(seed: 0)

    let seed: UInt64
    let size: Int

    init(seed: UInt64) {
        self.seed = seed
        size = seed == 0 ? 0 : Self.size(seed)
    }

    /// From 16 bytes to 64 MiB. Large sizes are rare, so that each range takes a share of the time.
    private static func size(_ seed: UInt64) -> Int {
        var random = SplitMix64(state: seed)
        let range =
            switch Int.random(in: 0..<1000, using: &random) {
            case ..<150: 16...1 << 10
            case ..<400: 1 << 10...16 << 10
            case ..<760: 128 << 10...256 << 10
            case ..<955: 1 << 20...2 << 20
            case ..<993: 4 << 20...8 << 20
            default: 64 << 20...64 << 20
            }
        return Int.random(in: range, using: &random)
    }

    /// One random MiB, repeated. Each block of 64 KiB starts with the payload's number and the block's offset.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size)
        while bytes.count < size { bytes += Self.source.prefix(size - bytes.count) }
        bytes.withUnsafeMutableBytes { bytes in
            for start in stride(from: 0, through: bytes.count - 16, by: 64 << 10) {
                bytes.storeBytes(of: seed, toByteOffset: start, as: UInt64.self)
                bytes.storeBytes(of: UInt64(start), toByteOffset: start + 8, as: UInt64.self)
            }
        }
        return bytes
    }

    private static let source = randomPayload(1 << 20)

    var digest: String { Stack.digest(bytes) }

    /// The key of a payload without metadata, as the wire contract defines it.
    func key(in namespace: String) -> String { "/blobs/\(namespace)/common/\(digest)/\(Stack.digest([]))" }
}
