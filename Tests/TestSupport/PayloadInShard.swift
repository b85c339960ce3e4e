/// A payload whose digest begins with these two hexadecimal digits.
package func payload(inShard shard: String) -> [UInt8] {
    while true {
        let payload = randomPayload(100)
        if Stack.digest(payload).hasPrefix("sha256:\(shard)") { return payload }
    }
}
