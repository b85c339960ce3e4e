import Encoding

/// The parameters of a query. If a parameter appears twice, the first value counts. An empty value counts as absent.
struct Query {
    private let parameters: [(name: [UInt8], value: [UInt8])]

    init(_ text: [UInt8]) {
        parameters = text.split(separator: UInt8(ascii: "&")).map { parameter in
            let parts = parameter.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (
                PercentEncoding.decodeQueryValue(parts[0]),
                parts.count == 2 ? PercentEncoding.decodeQueryValue(parts[1]) : []
            )
        }
    }

    subscript(name: String) -> [UInt8]? {
        let value = parameters.first { $0.name.elementsEqual(name.utf8) }?.value
        return value.flatMap { $0.isEmpty ? nil : $0 }
    }
}
