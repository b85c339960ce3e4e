/// A web server in front of the service.
package protocol PayloadServer {
    func request(_ method: String, _ target: String, _ headers: [String: String], body: [UInt8]?) throws -> HTTPAnswer
}

extension PayloadServer {
    @discardableResult
    package func put(
        _ payload: [UInt8],
        namespace: String = "default",
        digest: String? = nil,
        metadata: String = "{}"
    ) throws -> HTTPAnswer {
        let target = Stack.putTarget(namespace: namespace, digest: digest ?? Stack.digest(payload))
        return try request("PUT", target, Stack.putHeaders(metadata: metadata), body: payload)
    }

    package func get(_ key: String, length: Int, _ headers: [String: String] = [:]) throws -> HTTPAnswer {
        let headers = Stack.getHeaders(length: length).merging(headers) { $1 }
        return try request("GET", Stack.getTarget(key), headers, body: nil)
    }

    /// Sends a POST to the codec server.
    package func codec(
        _ operation: String,
        _ body: [UInt8],
        _ headers: [String: String] = ["X-Namespace": "default"]
    ) throws -> HTTPAnswer {
        let headers = headers.merging(["Content-Type": "application/json"]) { given, _ in given }
        return try request("POST", "/codec/\(operation)", headers, body: body)
    }
}
