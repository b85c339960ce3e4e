import Encoding
import HTTP

/// A parameter of a location's URL. The raw value is its name.
enum S3Parameter: String, CaseIterable {
    case endpoint, region
    case pathStyle = "path-style"
    case storageClass = "storage-class"
    case encryption = "sse"
    case encryptionKey = "sse-kms-key-id"

    /// The header that carries its value in uploads and copies.
    var header: String? {
        switch self {
        case .storageClass: "x-amz-storage-class"
        case .encryption: "x-amz-server-side-encryption"
        case .encryptionKey: "x-amz-server-side-encryption-aws-kms-key-id"
        default: nil
        }
    }

    private var expected: String {
        switch self {
        case .endpoint: "http://HOST[:PORT] or https://HOST[:PORT], without a path"
        case .region: "a region like eu-central-1"
        case .pathStyle: "true or false"
        case .storageClass: "letters, digits, '-' and '_', like STANDARD_IA"
        case .encryption: "AES256, aws:kms or aws:kms:dsse"
        case .encryptionKey: "a key's name, without white space"
        }
    }

    private func isFit(_ text: String) -> Bool {
        let count = text.utf8.count
        return switch self {
        case .endpoint: Endpoint(parsing: text) != nil
        case .region: (1...64).contains(count) && isMade(text.utf8, with: "-_.")
        case .pathStyle: Bool(text) != nil
        case .storageClass: (1...64).contains(count) && isMade(text.utf8, with: "-_")
        case .encryption: ["AES256", "aws:kms", "aws:kms:dsse"].contains(text)
        case .encryptionKey: (1...2048).contains(count) && isVisible(text.utf8)
        }
    }

    /// Validates a value.
    ///
    /// - Parameter place: the source of the value, if it is not the URL.
    /// - Throws: ``S3LocationError``.
    func checked(_ text: String, of place: String? = nil) throws -> String {
        let name = place ?? rawValue
        if self == .endpoint, text.utf8.contains(UInt8(ascii: "@")) {
            let expected = "http://HOST[:PORT] or https://HOST[:PORT], without user and password"
            throw S3LocationError("\(name) has an '@', expected \(expected)")
        }
        guard isFit(text) else {
            throw S3LocationError("\(name) is '\(printable(text.utf8))', expected \(expected)")
        }
        return text
    }

    /// Parses the parameters of a query.
    ///
    /// - Throws: ``S3LocationError``.
    static func values(query: ArraySlice<UInt8>) throws -> [S3Parameter: String] {
        var values: [S3Parameter: String] = [:]
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            // The value of an unknown name may be a secret, so the message omits it.
            guard let parameter = allCases.first(where: { $0.rawValue.utf8.elementsEqual(name) }) else {
                throw S3LocationError(
                    "the store's URL has a parameter '\(printable(name))', expected one of "
                        + allCases.map(\.rawValue).joined(separator: ", ")
                )
            }
            guard values[parameter] == nil else {
                throw S3LocationError("the store's URL has '\(parameter.rawValue)' twice, expected it once")
            }
            guard let text = PercentEncoding.decodeStrictly(pair[name.endIndex...].dropFirst()) else {
                throw S3LocationError(
                    "\(parameter.rawValue) has a '%' that is not followed by two hex digits, expected %25"
                )
            }
            values[parameter] = try parameter.checked(String(decoding: text, as: UTF8.self))
        }
        return values
    }
}
