/// What an engine can do, as far as a probe (``S3Client/probe()``) and its own refusals have shown. It decides how uploads,
/// renewals and deletions are made.
package struct EngineCapabilities: Sendable, Equatable {
    /// What becomes of an upload that has `If-None-Match: *` when its object is there.
    package enum Condition: Sendable {
        /// Nobody has tried.
        case unknown
        /// The engine answers 412 and keeps the object.
        case honoured
        /// The engine stores the upload: in a bucket with versions, one more.
        case ignored
        /// The engine refuses the header, also when the object is not there.
        case refused
    }

    /// What the engine may compare the bytes of an upload with. The raw value is the header's name.
    package enum Checksum: String, Sendable {
        case sha256 = "x-amz-checksum-sha256"
        case signed = "x-amz-content-sha256"
        case md5 = "content-md5"
    }

    package var condition = Condition.unknown
    /// Whether an upload may have `x-amz-checksum-sha256`.
    package var takesChecksum = true
    /// What the engine has compared an upload with: a wrong one was refused. Empty without a probe.
    package var verified: [Checksum] = []
    /// Whether an object may be copied onto itself.
    package var copies = true
    /// Whether the credentials may delete objects; `nil`: nobody has tried.
    package var deletes: Bool?

    package init() {}

    /// Whether an upload must be preceded by the question whether its object is there.
    package var mustAskFirst: Bool { condition != .honoured }

    /// The fields of the log's line.
    package var fields: [(name: String, value: String)] {
        [
            ("if_none_match", "\(condition)"),
            ("verifies", verified.isEmpty ? "nothing" : verified.map(\.rawValue).joined(separator: ",")),
            ("copy", copies ? "yes" : "no"),
            ("delete", deletes.map { $0 ? "yes" : "no" } ?? "unknown"),
        ]
    }
}
