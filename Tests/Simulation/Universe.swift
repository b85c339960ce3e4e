import PayloadKey

/// The few payloads and keys of a simulation, so that its operations collide.
struct Universe {
    let contents: [[UInt8]]
    let digests: [Digest]
    let keys: [PayloadKey]
    let namespaces: [Namespace]
    /// One prefix equals the shard of a digest: the store must not mistake a part of a prefix for a shard.
    let prefixes: [KeyPrefix?]
    private let contentByDigest: [Digest: Int]

    init() {
        // The first and the last shard, two contents in one shard, an empty content, and two of equal size.
        contents = [
            Universe.content(length: 24, shard: 0x1B), Universe.content(length: 200, shard: 0x1B),
            Universe.content(length: 24, shard: 0xFF), Universe.content(length: 40, shard: 0x00), [],
        ]
        digests = contents.map { Digest(of: $0) }
        contentByDigest = Dictionary(uniqueKeysWithValues: zip(digests, 0...))
        namespaces = ["orders", "Orders"].compactMap { try? Namespace(validating: $0.utf8) }
        prefixes = [nil] + ["team", "team/1b", "1b"].map { KeyPrefix(validating: $0.utf8) }
        var keys: [PayloadKey] = []
        for digest in digests {
            for namespace in namespaces {
                for prefix in prefixes {
                    let metadata = Digest(of: "\(prefix?.description ?? "")".utf8)
                    keys.append(
                        PayloadKey(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadata)
                    )
                }
            }
        }
        self.keys = keys
    }

    func content(of digest: Digest) -> Int? { contentByDigest[digest] }

    private static func content(length: Int, shard: UInt8) -> [UInt8] {
        for number in 0... {
            let text = Array("\(number)".utf8)
            let content = text + [UInt8](repeating: UInt8(ascii: "."), count: length - text.count)
            if Digest(of: content).firstByte == shard { return content }
        }
        return []
    }
}
