import Encoding
import PayloadKey

/// The namespaces that a caller may use, as configured in the web server (`LPS_ALLOWED_NAMESPACES`).
struct Tenancy {
    private static let all = [ArraySlice("*".utf8)]

    private let list: ServiceRequest.Bytes?

    /// - Parameter list: names separated by commas, ignoring spaces around them, or `*`; `nil` means `*`. An empty list
    ///   allows no namespace, so that an nginx `map` without a match denies access.
    init(_ list: ServiceRequest.Bytes?) {
        self.list = list
    }

    func check(_ namespace: Namespace) throws {
        guard let list else { return }
        let names = list.parts(between: UInt8(ascii: ",")).lazy.filter { !$0.isEmpty }.map { $0.trimmed() }
        guard names.elementsEqual(Self.all) || names.contains(namespace.utf8[...]) else {
            throw Refusal(.forbidden, "namespace '\(printable(namespace.utf8))' is not allowed for this caller")
        }
    }
}
