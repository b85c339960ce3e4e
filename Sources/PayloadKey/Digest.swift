import Crypto

/// A SHA-256 digest (FIPS 180-4), written `sha256:<64 lower-case hex digits>`.
public struct Digest: Hashable, Sendable {
    /// The name of the only algorithm of the wire contract, as it stands before the colon.
    public static let algorithm = "sha256"

    /// The digest as four big-endian numbers: 32 bytes in place, so that millions of digests fit into little memory.
    private let words: SIMD4<UInt64>

    /// The 32 bytes of the digest.
    public var bytes: [UInt8] {
        (0..<4).flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: words[word] >> (56 - 8 * UInt64($0))) } }
    }

    /// The first byte, by which stores spread digests.
    public var firstByte: UInt8 { UInt8(truncatingIfNeeded: words[0] >> 56) }

    /// The 64 lower-case hex digits, without the algorithm's name.
    public var hex: String {
        String(unsafeUninitializedCapacity: 64) { buffer in
            for position in 0..<64 {
                let digit = UInt8(truncatingIfNeeded: words[position >> 4] >> (60 - 4 * UInt64(position & 15))) & 15
                buffer[position] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 64
        }
    }

    /// Computes the digest of bytes that are in memory.
    public init(of content: some Sequence<UInt8>) {
        var hasher = DigestHasher()
        hasher.update(Array(content))
        self = hasher.finalize()
    }

    /// Parses `sha256:<hex>`.
    ///
    /// - Throws: ``DigestError``, in the order of the checks 10 to 12 of the wire contract.
    public init(parsing text: some Collection<UInt8>) throws(DigestError) {
        let tokens = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard tokens.count == 2 else { throw .format(Array(text)) }
        guard tokens[0].elementsEqual(Self.algorithm.utf8) else { throw .algorithm(Array(tokens[0])) }
        guard let digest = Digest(hex: tokens[1]) else { throw .format(Array(text)) }
        self = digest
    }

    /// Reads 64 lower-case hex digits; anything else is `nil`.
    public init?(hex: some Collection<UInt8>) {
        guard hex.count == 64 else { return nil }
        var words = SIMD4<UInt64>()
        var index = 0
        for digit in hex {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            words[index >> 4] = words[index >> 4] << 4 | UInt64(value)
            index += 1
        }
        self.words = words
    }

    /// - Parameter bytes: 32 of them.
    init(bytes: some Sequence<UInt8>) {
        var words = SIMD4<UInt64>()
        for (index, byte) in bytes.prefix(32).enumerated() {
            words[index >> 3] = words[index >> 3] << 8 | UInt64(byte)
        }
        self.words = words
    }
}

extension Digest: Comparable {
    /// Orders digests by their bytes, as their hex digits are ordered.
    public static func < (one: Digest, other: Digest) -> Bool {
        for word in 0..<4 where one.words[word] != other.words[word] { return one.words[word] < other.words[word] }
        return false
    }
}

extension Digest: CustomStringConvertible {
    /// `sha256:<hex>`, as it stands in keys.
    public var description: String { "\(Self.algorithm):\(hex)" }
}

/// Why a text is not a digest.
public enum DigestError: Error, Equatable {
    /// Not two tokens around one colon, or not 64 lower-case hex digits; holds the whole text.
    case format([UInt8])
    /// Another algorithm than `sha256`; holds its name.
    case algorithm([UInt8])
}

/// Computes a ``Digest`` of content that comes in pieces.
public struct DigestHasher {
    private var sha256 = SHA256()

    /// Starts with no content.
    public init() {}

    /// Takes in the next piece of the content.
    public mutating func update(_ piece: UnsafeRawBufferPointer) {
        sha256.update(bufferPointer: piece)
    }

    /// Takes in the next piece of the content.
    public mutating func update(_ piece: [UInt8]) {
        piece.withUnsafeBytes { sha256.update(bufferPointer: $0) }
    }

    /// The digest of all that was taken in.
    public func finalize() -> Digest {
        Digest(bytes: sha256.finalize())
    }
}
