/// What could not be deleted (DeleteObjects).
struct DeleteAnswer {
    struct Failure: Equatable {
        var key: [UInt8] = []
        var code = ""
        var message = ""
    }

    private(set) var failures: [Failure] = []

    init(_ body: [UInt8]) throws(XMLError) {
        var failures: [Failure] = []
        var failure = Failure()
        try readXML(body) { (path, text) throws(XMLError) in
            guard path[0] == "DeleteResult" else { throw XMLError(description: "no deletion: <\(path[0])>") }
            switch path.dropFirst() {
            case ["Error", "Key"]: failure.key = text
            case ["Error", "Code"]: failure.code = String(decoding: text, as: UTF8.self)
            case ["Error", "Message"]: failure.message = String(decoding: text, as: UTF8.self)
            case ["Error"]:
                failures.append(failure)
                failure = Failure()
            default: break
            }
        }
        self.failures = failures
    }
}
