import Crypto

/// A SHA-256 digest (FIPS 180-4), written `sha256:<64 lower-case hex digits>`.
public struct Digest: Hashable, Sendable {
    /// The name of the wire contract's only algorithm, before the colon.
    public static let algorithm = "sha256"

    /// The digest as four big-endian numbers: 32 bytes without an allocation, to hold millions of digests in memory.
    package let words: SIMD4<UInt64>

    /// The digest's 32 bytes.
    public var bytes: [UInt8] {
        (0..<4).flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: words[word] >> (56 - 8 * UInt64($0))) } }
    }

    /// The first byte, which selects the shard.
    public var firstByte: UInt8 { UInt8(truncatingIfNeeded: words[0] >> 56) }

    /// The 64 lower-case hex digits, without the algorithm's name.
    public var hex: String {
        String(unsafeUninitializedCapacity: 64) { buffer in
            for position in 0..<64 { buffer[position] = digit(position) }
            return 64
        }
    }

    /// Computes the digest of bytes in memory.
    public init(of content: some Sequence<UInt8>) {
        var hasher = DigestHasher()
        hasher.update(Array(content))
        self = hasher.finalize()
    }

    /// Parses `sha256:<hex>`.
    ///
    /// - Throws: ``DigestError``, in the order of checks 10 to 12 of the wire contract.
    public init(parsing text: some Collection<UInt8>) throws(DigestError) {
        let tokens = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard tokens.count == 2 else { throw .format(Array(text)) }
        guard tokens[0].elementsEqual(Self.algorithm.utf8) else { throw .algorithm(Array(tokens[0])) }
        guard let digest = Digest(hex: tokens[1]) else { throw .format(Array(text)) }
        self = digest
    }

    /// Parses 64 lower-case hex digits; `nil` for anything else.
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

    package init(words: SIMD4<UInt64>) {
        self.words = words
    }

    /// - Parameter bytes: exactly 32 bytes.
    init(bytes: some Sequence<UInt8>) {
        var words = SIMD4<UInt64>()
        for (index, byte) in bytes.prefix(32).enumerated() {
            words[index >> 3] = words[index >> 3] << 8 | UInt64(byte)
        }
        self.words = words
    }
}

extension Digest: Comparable {
    /// Orders digests by their bytes, which is the order of their hex digits.
    public static func < (one: Digest, other: Digest) -> Bool {
        for word in 0..<4 where one.words[word] != other.words[word] { return one.words[word] < other.words[word] }
        return false
    }
}

extension Digest {
    /// Appends the digest as in keys, `sha256:<hex>`, to a text.
    public func append(to text: inout [UInt8]) {
        text += Self.algorithm.utf8
        text.append(UInt8(ascii: ":"))
        append(hexTo: &text)
    }

    /// Appends the ``hex`` digits to a text.
    public func append(hexTo text: inout [UInt8]) {
        for position in 0..<64 { text.append(digit(position)) }
    }

    private func digit(_ position: Int) -> UInt8 {
        let digit = UInt8(truncatingIfNeeded: words[position >> 4] >> (60 - 4 * UInt64(position & 15))) & 15
        return digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}

extension Digest: CustomStringConvertible {
    /// The digest as in keys, `sha256:<hex>`.
    public var description: String { "\(Self.algorithm):\(hex)" }
}

/// A text is not a digest.
public enum DigestError: Error, Equatable {
    /// The text is not two tokens around a colon, or has not 64 lower-case hex digits. Contains the whole text.
    case format([UInt8])
    /// The algorithm is not `sha256`. Contains its name.
    case algorithm([UInt8])
}

/// Computes the ``Digest`` of content that arrives in pieces.
public struct DigestHasher {
    private var sha256 = SHA256()

    /// Makes a hasher of empty content.
    public init() {}

    /// Adds the next piece of the content.
    public mutating func update(_ piece: UnsafeRawBufferPointer) {
        sha256.update(bufferPointer: piece)
    }

    /// Adds the next piece of the content.
    public mutating func update(_ piece: [UInt8]) {
        piece.withUnsafeBytes { sha256.update(bufferPointer: $0) }
    }

    /// Returns the digest of all pieces.
    public func finalize() -> Digest {
        Digest(bytes: sha256.finalize())
    }
}
