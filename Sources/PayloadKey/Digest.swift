import Crypto
import Encoding

/// A SHA-256 digest (FIPS 180-4), written `sha256:<64 lower-case hex digits>`.
public struct Digest: Hashable, Sendable {
    /// The name of the wire contract's only algorithm, before the colon.
    private static let algorithm: StaticString = "sha256"

    /// The digest as four big-endian numbers: 32 bytes without an allocation, to hold millions of digests in memory.
    package let words: SIMD4<UInt64>

    /// The digest's 32 bytes.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        forEachByte { bytes.append($0) }
        return bytes
    }

    /// The first byte, which selects the shard.
    public var firstByte: UInt8 { UInt8(truncatingIfNeeded: words[0] >> 56) }

    /// The 64 lower-case hex digits, without the algorithm's name.
    public var hex: String { withHexDigits { String(decoding: $0, as: UTF8.self) } }

    /// Appends the digest as in keys, `sha256:<hex>`.
    package func append(to text: inout [UInt8]) {
        text.append(Self.prefix)
        withHexDigits { text.append(contentsOf: $0) }
    }

    /// The start of a digest as in keys.
    private static let prefix: StaticString = "sha256:"
    /// The length of a digest as in keys, in bytes.
    static let textLength = prefix.utf8CodeUnitCount + 64

    /// Passes the digits of ``hex`` to `read`, without an allocation.
    package func withHexDigits<Value>(_ read: (UnsafeBufferPointer<UInt8>) -> Value) -> Value {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { digits in
            var position = 0
            for index in 0..<4 {
                var rest = words[index]
                for _ in 0..<16 {
                    digits[position] = UInt8(truncatingIfNeeded: rest >> 60).lowerCaseHexDigit
                    rest <<= 4
                    position += 1
                }
            }
            return read(UnsafeBufferPointer(digits))
        }
    }

    private func forEachByte(_ take: (UInt8) -> Void) {
        for index in 0..<4 {
            var rest = words[index].bigEndian
            for _ in 0..<8 {
                take(UInt8(truncatingIfNeeded: rest))
                rest >>= 8
            }
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
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else { throw .format(Array(text)) }
        let (algorithm, hex) = (text[..<colon], text[text.index(after: colon)...])
        let isKnown = algorithm.equals(Self.algorithm)
        if isKnown, let digest = Digest(hex: hex) {
            self = digest
        } else {
            let hasTwoTokens = !hex.contains(UInt8(ascii: ":"))
            throw hasTwoTokens && !isKnown ? .algorithm(Array(algorithm)) : .format(Array(text))
        }
    }

    /// Parses 64 lower-case hex digits; `nil` for anything else.
    public init?(hex: some Collection<UInt8>) {
        guard hex.count == 64 else { return nil }
        var digits = hex.makeIterator()
        var words = SIMD4<UInt64>()
        for index in 0..<4 {
            var word: UInt64 = 0
            for _ in 0..<16 {
                guard let value = digits.next()?.lowerCaseHexValue else { return nil }
                word = word << 4 | UInt64(value)
            }
            words[index] = word
        }
        self.words = words
    }

    package init(words: SIMD4<UInt64>) {
        self.words = words
    }

    /// - Parameter bytes: exactly 32 bytes.
    init(bytes: some Sequence<UInt8>) {
        var bytes = bytes.makeIterator()
        var words = SIMD4<UInt64>()
        for index in 0..<4 {
            var word: UInt64 = 0
            for _ in 0..<8 { word = word << 8 | UInt64(bytes.next() ?? 0) }
            words[index] = word
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
        sha256.finalize().withUnsafeBytes { Digest(bytes: $0) }
    }
}
