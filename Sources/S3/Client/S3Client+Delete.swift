import Crypto
import PayloadKey

extension S3Client {
    /// An object that could not be deleted, and why.
    public typealias Undeleted = (key: [UInt8], error: String)

    /// Deletes objects, a thousand a request (DeleteObjects). That there is none of a key is no failure.
    ///
    /// - Returns: what could not be deleted, and why.
    public func delete(_ keys: [[UInt8]]) throws(S3Error) -> [Undeleted] {
        try throwingS3Errors {
            var undeleted: [Undeleted] = []
            var rest = keys[...]
            while !rest.isEmpty {
                let batch = rest.prefix(DeleteRequest.most)
                rest = rest.dropFirst(batch.count)
                var alone = Array(batch)
                if engine.deletesTogether, let failed = try deleteTogether(batch.filter(DeleteRequest.canName)) {
                    undeleted += failed
                    alone.removeAll(where: DeleteRequest.canName)
                }
                undeleted += try alone.compactMap(deleteAlone)
            }
            return undeleted
        }
    }

    /// `nil` when the engine does not delete several objects with one request.
    private func deleteTogether(_ keys: [[UInt8]]) throws -> [Undeleted]? {
        if keys.isEmpty { return [] }
        var left = keys
        var undeleted: [Undeleted] = []
        do {
            try retrying {
                let answer = try send(deletion(left), keeping: Self.longestPage)
                guard !isOfBatches(answer) else { return learn { $0.deletesTogether = false } }
                // A key that is gone is what was asked for.
                let failures = try decoded(answer, DeleteAnswer.init).failures.filter { $0.code != "NoSuchKey" }
                let passing = failures.filter { Self.busyCodes.contains($0.code) }
                for failure in failures where !Self.busyCodes.contains(failure.code) {
                    undeleted.append((Self.asAsked(failure.key, left), failure.description))
                }
                left = passing.map { Self.asAsked($0.key, left) }
                guard let first = passing.first else { return }
                let text = "\(passing.count) not deleted: \(first)"
                throw failure(
                    .unavailable,
                    answer.operation,
                    text,
                    mayPass: true,
                    .again(after: answer.retryAfter(now()))
                )
            }
        } catch let error as S3Error where left.count < keys.count {
            return undeleted + left.map { ($0, error.description) }
        }
        return left.isEmpty ? undeleted : nil
    }

    /// Whether an engine has no such operation, or does not allow it where it may allow each deletion: Ceph wants a
    /// permission for the bucket.
    private func isOfBatches(_ answer: S3Answer) -> Bool {
        [405, 501].contains(answer.status) || answer.error?.code == "NotImplemented"
            || refusal(answer).code == .accessDenied
    }

    private func deletion(_ keys: [[UInt8]]) -> S3Request {
        let body = DeleteRequest(keys).body
        return S3Request(
            operation: "deletion of \(keys.count) objects",
            method: "POST",
            path: location.bucketPath,
            query: [("delete", "")],
            headers: [
                ("content-type", "application/xml"),
                ("content-md5", StandardBase64.encode(Insecure.MD5.hash(data: body))),
            ],
            body: .bytes(body),
            payloadHash: hexDigits(SHA256.hash(data: body))
        )
    }

    /// `nil` when the object is gone.
    private func deleteAlone(_ key: [UInt8]) throws -> Undeleted? {
        let request = S3Request(operation: "DELETE of an object", method: "DELETE", path: location.path(of: key))
        do {
            _ = try unlessAbsent {
                try retrying {
                    let answer = try send(request)
                    guard (200...299).contains(answer.status) else { throw refusal(answer) }
                }
            }
            return nil
        } catch {
            guard error.code == .accessDenied || error.code == .refused else { throw error }
            return (key, error.description)
        }
    }

    /// A key as the caller named it: SeaweedFS leaves out slashes.
    private static func asAsked(_ key: [UInt8], _ asked: [[UInt8]]) -> [UInt8] {
        if asked.contains(key) { return key }
        let single = withSingleSlashes(key)
        return asked.first { withSingleSlashes($0) == single } ?? key
    }
}
