import Foundation
import TestSupport

/// A payload that follows from a number: none has to be remembered, and two numbers give two payloads.
struct SoakPayload: Sendable {
    static let empty = SoakPayload(seed: 0)

    let seed: UInt64
    let size: Int

    init(seed: UInt64) {
        self.seed = seed
        size = seed == 0 ? 0 : Self.size(seed)
    }

    /// From 16 bytes to 64 MiB; the large ones are rare, so that all sizes take a share of the time.
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

    /// A random mebibyte, again and again, of which every 64 KiB begin with the payload's number and their own.
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

    /// The key that the wire contract gives a payload without metadata.
    func key(in namespace: String) -> String { "/blobs/\(namespace)/common/\(digest)/\(Stack.digest([]))" }
}
