extension S3Client {
    /// Streams a part of an object (GetObject). A byte is never given twice: where an answer broke off, the next goes
    /// on.
    ///
    /// When the object was changed meanwhile (`If-Match`), it ends with ``S3Error/Code/cutOff``. A deadline is for the first
    /// byte.
    ///
    /// - Parameter take: gets the bytes in order. What it throws ends the transfer, and is thrown.
    /// - Throws: ``S3Error``, or what `take` throws.
    public func read(
        _ key: [UInt8],
        _ range: Range<UInt64>,
        _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        if range.isEmpty { return }
        var reading = Reading(range: range)
        var before = range.lowerBound
        do throws(AttemptFailure) {
            try retrying(
                hasProgressed: {
                    defer { before = reading.position }
                    return reading.position > before
                },
                { () throws(AttemptFailure) in try goOn(key, &reading, take) }
            )
        } catch {
            throw error.error
        }
    }

    /// How far a read has come.
    private struct Reading {
        let range: Range<UInt64>
        var position: UInt64
        /// Of the first answer.
        var entityTag: String?

        init(range: Range<UInt64>) {
            self.range = range
            position = range.lowerBound
        }

        var rest: Range<UInt64> { position..<range.upperBound }
    }

    private func goOn(
        _ key: [UInt8],
        _ reading: inout Reading,
        _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws(AttemptFailure) {
        let operation = "GET of an object"
        let rest = reading.rest
        var request = S3Request(
            operation: operation,
            method: "GET",
            path: location.path(of: key),
            headers: [("range", "bytes=\(rest.lowerBound)-\(rest.upperBound - 1)")],
            deadline: reading.position > reading.range.lowerBound ? .nothing : .firstByte
        )
        if let tag = reading.entityTag { request.headers.append(("if-match", tag)) }
        var body: RangeBody?
        let answer: S3Answer
        do throws(AttemptFailure) {
            answer = try send(request) { head, piece in
                guard head.status == 200 || head.status == 206 else { return nil }
                var current = try body ?? RangeBody(head, rest)
                if reading.entityTag == nil { reading.entityTag = head["etag"] }
                let wanted = try current.wanted(piece)
                body = current
                guard let wanted else { return .goOn }
                reading.position += UInt64(wanted.count)
                try take(wanted)
                return reading.position == rest.upperBound && current.isLongerThanRange ? .enough : .goOn
            }
        } catch .caller(let error as RangeBody.Failure) {
            throw wrongRange(error, operation)
        }
        switch answer.status {
        case 200, 206:
            guard reading.position < rest.upperBound else { return }
            do throws(RangeBody.Failure) {
                if body == nil { _ = try RangeBody(answer.head, rest) }
            } catch {
                throw wrongRange(error, operation)
            }
            throw .engine(
                failure(.cutOff, operation, "the answer ended at byte \(reading.position)", mayPass: true),
                .again(after: .zero)
            )
        case 412 where reading.entityTag != nil:
            throw .engine(failure(.cutOff, operation, "412: the object has changed meanwhile", mayPass: true), .none)
        default: throw refusal(answer, operation)
        }
    }

    private func wrongRange(_ error: RangeBody.Failure, _ operation: String) -> AttemptFailure {
        error.isOfObject
            ? .engine(failure(.refused, operation, error.description), .none) : malformed(operation, error.description)
    }
}
