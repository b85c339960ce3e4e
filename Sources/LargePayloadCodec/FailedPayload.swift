#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import PayloadKey

extension LargePayloadCodec {
    private static let encodingName = "encoding"
    /// The beginning of the `encoding` of a payload that failed. The message follows.
    private static let failureEncoding = "large-payload-codec/error: "

    /// Returns why a payload could not be stored or fetched, if a codec replaced it because of
    /// ``Options/PermanentFailures/replacePayload``.
    ///
    /// - Returns: The message on one line; `nil` for any other payload.
    public static func failureMessage(of payload: some TemporalPayload) -> String? {
        guard let encoding = payload.metadata[encodingName], encoding.starts(with: failureEncoding.utf8) else {
            return nil
        }
        return String(decoding: encoding.dropFirst(failureEncoding.utf8.count), as: UTF8.self)
    }

    /// Gives the payload an encoding that no converter knows. Converters show an unknown encoding in their error, so it
    /// contains the message.
    ///
    /// The rest of a reference stays: a workflow that only passes the payload on loses nothing.
    static func markFailed(_ payload: inout some TemporalPayload, _ error: LargePayloadCodecError) {
        payload.metadata[encodingName] = Data("\(failureEncoding)\(error.summary)".utf8)
    }
}
