extension S3Client {
    /// Streams a range of an object (GetObject). If an answer breaks off, another request continues after the last byte
    /// received, so no byte is passed on twice.
    ///
    /// If the object changes in the meantime (`If-Match`), throws ``S3Error/Code/cutOff``. The client's deadline
    /// applies to the first byte only.
    ///
    /// - Parameter take: called with the bytes in order. An error it throws ends the transfer and is rethrown.
    /// - Throws: ``S3Error``, or what `take` throws.
    public func read(
        _ key: [UInt8],
        _ range: Range<UInt64>,
        _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        if range.isEmpty { return }
        var reading = Reading(rest: range)
        try retrying(progress: { reading.rest.lowerBound }) { try goOn(key, &reading, take) }
    }

    /// The progress of a read.
    private struct Reading {
        var rest: Range<UInt64>
        /// The ETag of the first answer.
        var entityTag: String?
        var hasBegun = false

        mutating func take(_ count: Int) {
            rest = (rest.lowerBound + UInt64(count))..<rest.upperBound
            hasBegun = true
        }
    }

    private func goOn(
        _ key: [UInt8],
        _ reading: inout Reading,
        _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let operation = "GET of an object"
        let rest = reading.rest
        var request = S3Request(
            operation: operation,
            method: "GET",
            path: location.path(of: key),
            headers: [("range", "bytes=\(rest.lowerBound)-\(rest.upperBound - 1)")],
            deadline: reading.hasBegun ? .nothing : .firstByte
        )
        if let tag = reading.entityTag { request.headers.append(("if-match", tag)) }
        func fail(_ code: S3Error.Code, _ text: String) -> S3Error { failure(code, operation, text) }
        var body: RangeBody?
        let answer = try send(request) { head, piece in
            guard head.status == 200 || head.status == 206 else { return nil }
            var current = try body ?? RangeBody(head, rest, fail)
            if reading.entityTag == nil { reading.entityTag = head["etag"] }
            let wanted = try current.wanted(piece)
            body = current
            guard let wanted else { return .goOn }
            reading.take(wanted.count)
            try take(wanted)
            return reading.rest.isEmpty && current.isLongerThanRange ? .enough : .goOn
        }
        switch answer.status {
        case 200, 206:
            if reading.rest.isEmpty { return }
            if body == nil { _ = try RangeBody(answer.head, rest, fail) }
            let text = "the answer ended at byte \(reading.rest.lowerBound)"
            throw failure(.cutOff, operation, text, mayPass: true)
        case 412 where reading.entityTag != nil:
            throw failure(.cutOff, operation, "412: the object changed in the meantime", mayPass: true, .giveUp)
        default: throw refusal(answer)
        }
    }
}
