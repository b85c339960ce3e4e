/// The body of an answer that is an error ("Error Responses" of the Amazon S3 API Reference).
struct ErrorAnswer: Equatable {
    private(set) var code = ""
    private(set) var message = ""
    /// The region where the bucket is, for requests that were signed for another.
    private(set) var region = ""
    /// The engine's time, where the clocks differ.
    private(set) var serverTime = ""

    /// `nil` for a body that is no error of an S3 engine.
    init?(_ body: [UInt8]) {
        do {
            try readXML(body, root: "Error") { path, text in
                let text = String(decoding: text, as: UTF8.self)
                switch path {
                case ["Code"]: code = text
                case ["Message"]: message = text
                case ["Region"]: region = text
                case ["ServerTime"]: serverTime = text
                default: break
                }
            }
        } catch {
            return nil
        }
        if code.isEmpty { return nil }
    }
}
