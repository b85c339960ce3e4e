/// The body of an error answer ("Error Responses" in the Amazon S3 API Reference).
struct ErrorAnswer: Equatable {
    private(set) var code = ""
    private(set) var message = ""
    /// The bucket's region, in answers to requests signed for another region.
    private(set) var region = ""
    /// The engine's time, if the clocks differ.
    private(set) var serverTime = ""

    /// Parses a body; `nil` if it is not an S3 error.
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
