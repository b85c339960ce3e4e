import Encoding
import PayloadKey

/// The namespaces that a caller may use, as configured in the web server.
struct Tenancy {
    private static let all = [ArraySlice("*".utf8)]

    private let allowed: ServiceRequest.Bytes?
    private let readable: ServiceRequest.Bytes?

    /// - Parameters:
    ///   - allowed: the namespaces to store in and to read (`LPS_ALLOWED_NAMESPACES`): names separated by commas,
    ///     ignoring spaces around them, or `*`; `nil` means `*`. An empty list allows no namespace, so that an nginx `map`
    ///     without a match denies access.
    ///   - readable: the namespaces that the caller may only read (`LPS_READABLE_NAMESPACES`), in the same form; `nil`
    ///     means none.
    init(allowed: ServiceRequest.Bytes?, readable: ServiceRequest.Bytes?) {
        self.allowed = allowed
        self.readable = readable
    }

    /// Checks that the caller may store in a namespace.
    func checkStoring(_ namespace: Namespace) throws {
        guard Self.list(allowed, contains: namespace) else { throw Self.refusal(of: namespace) }
    }

    /// Checks that the caller may read the payloads of a namespace.
    func checkReading(_ namespace: Namespace) throws {
        if Self.list(allowed, contains: namespace) { return }
        guard let readable, Self.list(readable, contains: namespace) else { throw Self.refusal(of: namespace) }
    }

    private static func list(_ list: ServiceRequest.Bytes?, contains namespace: Namespace) -> Bool {
        guard let list else { return true }
        let names = list.parts(between: UInt8(ascii: ",")).lazy.filter { !$0.isEmpty }.map { $0.trimmed() }
        return names.elementsEqual(all) || names.contains(namespace.utf8[...])
    }

    private static func refusal(of namespace: Namespace) -> Refusal {
        Refusal(.forbidden, "namespace '\(printable(namespace.utf8))' is not allowed for this caller")
    }
}

extension ServiceRequest {
    var tenancy: Tenancy { Tenancy(allowed: allowedNamespaces, readable: readableNamespaces) }
}
