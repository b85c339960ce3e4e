import Crypto
import Foundation
import TestSupport

/// A payload that follows from a number: none has to be remembered, and two numbers give two payloads.
struct SoakPayload: Sendable {
    static let pieceSize = 64 << 10
    static let empty = SoakPayload(seed: 0)

    let seed: UInt64
    let size: Int

    init(seed: UInt64) {
        self.seed = seed
        size = seed == 0 ? 0 : Self.size(seed)
    }

    /// From nothing to 64 MiB; the large ones are rare, so that all sizes take a share of the time.
    private static func size(_ seed: UInt64) -> Int {
        let random = mixed(seed)
        func between(_ low: Int, _ high: Int) -> Int { low + Int((random >> 16) % UInt64(high - low + 1)) }
        // From 16 bytes on, the seed tells them apart.
        return switch random % 1000 {
        case ..<150: between(16, 1 << 10)
        case ..<400: between(1 << 10, 16 << 10)
        case ..<760: between(128 << 10, 256 << 10)
        case ..<955: between(1 << 20, 2 << 20)
        case ..<993: between(4 << 20, 8 << 20)
        default: 64 << 20
        }
    }

    /// Every bit of the number counts for every bit of the result.
    private static func mixed(_ number: UInt64) -> UInt64 {
        var random = SplitMix64(state: number)
        return random.next()
    }

    /// What pieces are cut from, each somewhere else.
    private static let source: [UInt8] = {
        var state: UInt64 = 0
        return [UInt64](
            unsafeUninitializedCapacity: 1 << 17
        ) { buffer, count in
            for index in 0..<(1 << 17) {
                state += 1
                buffer[index] = mixed(state)
            }
            count = 1 << 17
        }.withUnsafeBytes { Array($0) }
    }()

    /// Puts the piece of a number into `buffer`, and says how long it is.
    func piece(_ index: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(Self.pieceSize, size - index * Self.pieceSize)
        guard count > 0 else { return 0 }
        let name = Self.mixed(seed ^ Self.mixed(UInt64(index)))
        let start = Int(name % UInt64(Self.source.count - Self.pieceSize))
        Self.source.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start...].prefix(count)))
        }
        for (offset, number) in [seed, name].enumerated() where count >= 16 {
            buffer.storeBytes(of: number, toByteOffset: offset * 8, as: UInt64.self)
        }
        return count
    }

    /// Hands over the payload from its start, piece by piece.
    func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        try withUnsafeTemporaryAllocation(byteCount: Self.pieceSize, alignment: 8) { buffer in
            var index = 0
            while true {
                let count = piece(index, into: buffer)
                guard count > 0 else { return }
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                index += 1
            }
        }
    }

    var digest: String {
        var hash = SHA256()
        forEachPiece { hash.update(bufferPointer: $0) }
        return "sha256:" + hash.finalize().map { String(format: "%02x", $0) }.joined()
    }

    /// The first bytes, up to 2 MiB.
    var beginning: [UInt8] {
        withUnsafeTemporaryAllocation(byteCount: Self.pieceSize, alignment: 8) { buffer in
            var bytes: [UInt8] = []
            for index in 0..<32 { bytes += buffer[..<piece(index, into: buffer)] }
            return bytes
        }
    }

    /// The key that the wire contract gives a payload without metadata.
    static func key(_ digest: String, in namespace: String) -> String {
        "/blobs/\(namespace)/common/\(digest)/\(noMetadata)"
    }

    private static let noMetadata = Stack.digest([])
}

/// Compares what comes with a payload, from any byte of it on.
struct SoakComparison {
    private let payload: SoakPayload
    private var position: Int
    private var piece = [UInt8](repeating: 0, count: SoakPayload.pieceSize)
    private var index = -1
    private(set) var isEqual = true

    init(_ payload: SoakPayload, from position: Int = 0) {
        self.payload = payload
        self.position = position
    }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty, isEqual {
            let wanted = position / SoakPayload.pieceSize
            if wanted != index {
                index = wanted
                _ = piece.withUnsafeMutableBytes { payload.piece(wanted, into: $0) }
            }
            let offset = position % SoakPayload.pieceSize
            let count = min(rest.count, SoakPayload.pieceSize - offset, payload.size - position)
            guard count > 0 else {
                isEqual = false
                return
            }
            isEqual = piece.withUnsafeBytes { piece in
                guard let expected = piece.baseAddress, let actual = rest.baseAddress else { return false }
                return memcmp(expected + offset, actual, count) == 0
            }
            position += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
