import Encoding
import PayloadKey

/// The namespaces that a caller may use, as configured in the web server (`LPS_ALLOWED_NAMESPACES`).
struct Tenancy {
    private let allowed: [ArraySlice<UInt8>]?

    /// - Parameter list: names separated by commas, ignoring spaces around them, or `*`; `nil` means `*`. An empty list
    ///   allows no namespace, so that an nginx `map` without a match denies access.
    init(_ list: [UInt8]?) {
        let names = list.map { $0.split(separator: UInt8(ascii: ",")).map { $0.trimmed() } }
        allowed = names == [[UInt8(ascii: "*")]] ? nil : names
    }

    func check(_ namespace: Namespace) throws {
        if let allowed, !allowed.contains(namespace.utf8[...]) {
            throw Refusal(.forbidden, "namespace '\(printable(namespace.utf8))' is not allowed for this caller")
        }
    }
}
