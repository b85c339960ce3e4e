import Encoding
import PayloadKey

/// Which namespaces a caller may use, as the web server's configuration says (`LPS_ALLOWED_NAMESPACES`).
struct Tenancy {
    private let allowed: [ArraySlice<UInt8>]?

    /// - Parameter list: names separated by commas, spaces around them ignored, or `*`; `nil` means `*`. An empty list
    ///   allows nothing, so that an nginx `map` without a match denies.
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
