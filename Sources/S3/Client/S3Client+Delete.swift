import Crypto
import Encoding

extension S3Client {
    /// Deletes objects, a thousand a request (DeleteObjects). That there is none of a key is no failure.
    ///
    /// - Returns: what could not be deleted, and why.
    public func delete(_ keys: [[UInt8]]) throws(S3Error) -> [(key: [UInt8], error: String)] {
        var failed: [(key: [UInt8], error: String)] = []
        var rest = keys[...]
        while !rest.isEmpty {
            let batch = rest.prefix(DeleteRequest.most)
            rest = rest.dropFirst(batch.count)
            var alone = Array(batch)
            do throws(AttemptFailure) {
                if engine.deletesTogether, let failures = try deleteTogether(batch.filter(DeleteRequest.canName)) {
                    failed += failures
                    alone.removeAll(where: DeleteRequest.canName)
                }
                for key in alone { failed += try deleteAlone(key) }
            } catch {
                throw error.ofEngine
            }
        }
        return failed
    }

    /// `nil` when the engine does not delete several objects with one request.
    private func deleteTogether(_ keys: [[UInt8]]) throws(AttemptFailure) -> [(key: [UInt8], error: String)]? {
        if keys.isEmpty { return [] }
        var left = keys
        var failed: [(key: [UInt8], error: String)] = []
        do throws(AttemptFailure) {
            try retrying { () throws(AttemptFailure) in
                let operation = "deletion of \(left.count) objects"
                let answer = try send(deletion(left, operation), keeping: Self.longestPage)
                let error = answer.body.isCut ? nil : ErrorAnswer(answer.body.bytes)
                guard answer.status == 200, error == nil else {
                    let refusal = refusal(answer, operation, error)
                    guard isOfBatches(refusal, answer, error) else { throw refusal }
                    learn { $0.deletesTogether = false }
                    return
                }
                let failures = try self.failures(answer, operation)
                let passing = failures.filter { Self.busyCodes.contains($0.code) }
                let lasting = failures.filter { !Self.busyCodes.contains($0.code) }
                failed += lasting.map { (key: Self.asAsked($0.key, left), error: Self.text($0)) }
                left = passing.map { Self.asAsked($0.key, left) }
                guard let first = passing.first else { return }
                throw .engine(
                    failure(
                        .unavailable,
                        operation,
                        "\(passing.count) not deleted: \(Self.text(first))",
                        mayPass: true
                    ),
                    .again(after: answer.retryAfter(now()))
                )
            }
        } catch .engine(let error, _) where left.count < keys.count {
            return failed + left.map { ($0, error.description) }
        }
        return left.isEmpty ? failed : nil
    }

    /// Whether an engine has no such operation, or does not allow it where it may allow each deletion: Ceph wants a
    /// permission for the bucket.
    private func isOfBatches(_ refusal: AttemptFailure, _ answer: S3Answer, _ error: ErrorAnswer?) -> Bool {
        if answer.status == 501 || answer.status == 405 || error?.code == "NotImplemented" { return true }
        guard case .engine(let error, _) = refusal else { return false }
        return error.code == .accessDenied
    }

    private func deletion(_ keys: [[UInt8]], _ operation: String) -> S3Request {
        let body = DeleteRequest(keys).body
        let digest = Array(SHA256.hash(data: body))
        return S3Request(
            operation: operation,
            method: "POST",
            path: location.bucketPath,
            query: [("delete", "")],
            headers: [
                ("content-type", "application/xml"),
                ("content-md5", StandardBase64.encode(Insecure.MD5.hash(data: body))),
            ],
            body: .bytes(body),
            payloadHash: hexDigits(digest)
        )
    }

    private func failures(
        _ answer: S3Answer,
        _ operation: String
    ) throws(AttemptFailure) -> [DeleteAnswer.Failure] {
        guard !answer.body.isCut else { throw malformed(operation, "an answer of over 4 MiB") }
        do throws(XMLError) {
            // The key is gone, which is what was asked for.
            return try DeleteAnswer(answer.body.bytes).failures.filter { $0.code != "NoSuchKey" }
        } catch {
            throw malformed(operation, error.description)
        }
    }

    private func deleteAlone(_ key: [UInt8]) throws(AttemptFailure) -> [(key: [UInt8], error: String)] {
        let operation = "DELETE of an object"
        do throws(AttemptFailure) {
            try retrying { () throws(AttemptFailure) in
                let path = location.path(of: key)
                let answer = try send(S3Request(operation: operation, method: "DELETE", path: path))
                if !answer.isSuccess { throw refusal(answer, operation) }
            }
        } catch .engine(let error, _) where error.code == .noSuchKey {
            return []
        } catch .engine(let error, _) where error.code == .accessDenied || error.code == .refused {
            return [(key, error.description)]
        }
        return []
    }

    /// A key as the caller named it: SeaweedFS leaves out slashes.
    private static func asAsked(_ key: [UInt8], _ asked: [[UInt8]]) -> [UInt8] {
        if asked.contains(key) { return key }
        let single = withSingleSlashes(key)
        return asked.first { withSingleSlashes($0) == single } ?? key
    }

    private static func text(_ failure: DeleteAnswer.Failure) -> String {
        printable((failure.message.isEmpty ? failure.code : "\(failure.code): \(failure.message)").utf8)
    }
}
