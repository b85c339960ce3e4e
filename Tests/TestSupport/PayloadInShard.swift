/// A payload whose digest begins with these two hex digits.
package func payload(inShard shard: String, size: Int = 100) -> [UInt8] {
    while true {
        let payload = randomPayload(size)
        if Stack.digest(payload).hasPrefix("sha256:\(shard)") { return payload }
    }
}
