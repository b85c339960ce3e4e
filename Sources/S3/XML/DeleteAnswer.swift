import PayloadKey

/// What could not be deleted (DeleteObjects).
struct DeleteAnswer {
    struct Failure: Equatable, CustomStringConvertible {
        var key: [UInt8] = []
        var code = ""
        var message = ""

        var description: String { printable((message.isEmpty ? code : "\(code): \(message)").utf8) }
    }

    private(set) var failures: [Failure] = []

    init(_ body: [UInt8]) throws {
        var failure = Failure()
        try readXML(body, root: "DeleteResult") { path, text in
            switch path {
            case ["Error", "Key"]: failure.key = text
            case ["Error", "Code"]: failure.code = String(decoding: text, as: UTF8.self)
            case ["Error", "Message"]: failure.message = String(decoding: text, as: UTF8.self)
            case ["Error"]:
                failures.append(failure)
                failure = Failure()
            default: break
            }
        }
    }
}
