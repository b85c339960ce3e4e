import PayloadKey
import PayloadStore
import S3

extension S3Store {
    public func open(_ key: PayloadKey) throws(StoreError) -> StoredPayload? {
        let object = objectKey(key)
        if let size = sizes[key] { return payload(key, object, size) }
        guard let found = try translating({ () throws(S3Error) in try client.status(of: object) }) else { return nil }
        sizes[key] = found.size
        return payload(key, object, found.size)
    }

    private func payload(_ key: PayloadKey, _ object: [UInt8], _ size: UInt64) -> StoredPayload {
        StoredPayload(size: size, ObjectContent(store: self, key: key, object: object))
    }
}

/// The content of a payload's object.
private struct ObjectContent: PayloadContent {
    let store: S3Store
    let key: PayloadKey
    let object: [UInt8]

    var name: String { key.description }

    func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        do {
            try store.client.read(object, range, take)
        } catch let error as S3Error {
            // Deleted since it was last seen, or another one.
            if error.code == .noSuchKey || error.code == .refused { store.sizes[key] = nil }
            throw error.code == .noSuchKey ? StoreError(.vanished, error.description) : StoreError(error)
        }
    }

    func handOver() throws(StoreError) -> HandOver {
        let request = try translating { () throws(S3Error) in try store.client.signedGet(object) }
        return .request(target: request.target, headers: request.headers)
    }
}
