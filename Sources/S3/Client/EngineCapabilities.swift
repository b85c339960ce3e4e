/// An engine's capabilities, as shown by a probe (``S3Client/probe()``) and by the engine's refusals. They decide how
/// the client uploads, renews and deletes.
package struct EngineCapabilities: Sendable, Equatable {
    /// What the engine does with an upload that has `If-None-Match: *` if the object exists.
    package enum Condition: Sendable {
        /// Not tried yet.
        case unknown
        /// The engine answers 412 and keeps the object.
        case honoured
        /// The engine stores the upload, in a versioned bucket as a new version.
        case ignored
        /// The engine refuses the header, even if the object does not exist.
        case refused
    }

    /// The checksums that an engine may compare an upload with. The raw value is the header's name.
    package enum Checksum: String, Sendable {
        case sha256 = "x-amz-checksum-sha256"
        case signed = "x-amz-content-sha256"
        case md5 = "content-md5"
    }

    package var condition = Condition.unknown
    /// Whether the engine accepts uploads with `x-amz-checksum-sha256`.
    package var takesChecksum = true
    /// The checksums that the engine compares: it refused wrong ones. Empty without a probe.
    package var verified: [Checksum] = []
    /// Whether the engine can copy an object onto itself.
    package var copies = true
    /// Whether the credentials allow deleting objects; `nil` if not tried yet.
    package var deletes: Bool?

    package init() {}

    /// Whether a HEAD must precede each upload.
    package var mustAskFirst: Bool { condition != .honoured }

    /// The fields of the log line.
    package var fields: [(name: String, value: String)] {
        [
            ("if_none_match", "\(condition)"),
            ("verifies", verified.isEmpty ? "nothing" : verified.map(\.rawValue).joined(separator: ",")),
            ("copy", copies ? "yes" : "no"),
            ("delete", deletes.map { $0 ? "yes" : "no" } ?? "unknown"),
        ]
    }
}
