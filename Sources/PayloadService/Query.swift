import Encoding

/// The parameters of a query. If a parameter appears twice, the first value counts. An empty value counts as absent.
struct Query {
    private let text: ServiceRequest.Bytes

    init(_ text: ServiceRequest.Bytes) {
        self.text = text
    }

    /// A parameter's value: a slice of the query, unless something in it is encoded.
    subscript(name: StaticString) -> ServiceRequest.Bytes? {
        for parameter in text.parts(between: UInt8(ascii: "&")) {
            let encodedName = parameter.prefix { $0 != UInt8(ascii: "=") }
            guard !parameter.isEmpty, Self.decoded(encodedName).equals(name) else { continue }
            let value = Self.decoded(parameter[encodedName.endIndex...].dropFirst())
            return value.isEmpty ? nil : value
        }
        return nil
    }

    private static func decoded(_ text: ServiceRequest.Bytes) -> ServiceRequest.Bytes {
        let isEncoded = text.contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }
        return isEncoded ? PercentEncoding.decodeQueryValue(text)[...] : text
    }
}
