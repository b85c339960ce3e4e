import Encoding
import Logging
import PayloadKey

/// The namespace and digest of a request, as far as they are known, for the log and the web server's access log.
struct Subject {
    var namespace: Namespace?
    var digest: Digest?

    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        if let namespace { metadata["namespace"] = "\(printable(namespace.utf8))" }
        if let digest { metadata["digest"] = "\(digest)" }
        return metadata
    }

    /// Adds header fields that the web server logs and hides from the client; the namespace is percent-encoded.
    func describe(in response: inout ServiceResponse) {
        if let namespace { response.add("X-LPS-Namespace") { PercentEncoding.append(path: namespace.utf8, to: &$0) } }
        if let digest { response.add("X-LPS-Digest") { digest.append(to: &$0) } }
    }
}
