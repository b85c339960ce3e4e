/// The body of an answer that is an error ("Error Responses" of the Amazon S3 API Reference).
struct ErrorAnswer: Equatable {
    var code = ""
    var message = ""
    /// The region where the bucket is, for requests that were signed for another.
    var region = ""
    /// The engine's time, where the clocks differ.
    var serverTime = ""

    /// `nil` for a body that is no error of an S3 engine.
    init?(_ body: [UInt8]) {
        var answer = Self.empty
        var isError = false
        do throws(XMLError) {
            try readXML(body) { (path, text) throws(XMLError) in
                guard path[0] == "Error" else { throw XMLError(description: "no error") }
                isError = true
                guard path.count == 2 else { return }
                let text = String(decoding: text, as: UTF8.self)
                switch path[1] {
                case "Code": answer.code = text
                case "Message": answer.message = text
                case "Region": answer.region = text
                case "ServerTime": answer.serverTime = text
                default: break
                }
            }
        } catch {
            return nil
        }
        guard isError, !answer.code.isEmpty else { return nil }
        self = answer
    }

    private static let empty = ErrorAnswer()
    private init() {}
}
