import Encoding

extension Credentials {
    /// The most bytes accepted in an endpoint's answer.
    static let documentLimit = 64 * 1024
    private static let documentNames = ["AccessKeyId", "SecretAccessKey", "Token", "Expiration", "Code"]

    /// Parses the answer of a container's or an instance's endpoint: a JSON object with `AccessKeyId`,
    /// `SecretAccessKey`, `Token` and `Expiration`.
    ///
    /// - Parameter source: names the endpoint in messages, which never contain the answer's credentials.
    init(document: [UInt8], from source: String) throws {
        var values: [String: [UInt8]] = [:]
        guard document.count <= Self.documentLimit else {
            throw CredentialsError("\(source) answered with over \(Self.documentLimit) bytes", mayPass: true)
        }
        do {
            var reader = JSONReader(document)
            try reader.skipWhitespace()
            try reader.object { reader, name in
                let name = String(decoding: name, as: UTF8.self)
                guard Self.documentNames.contains(name) else { return try reader.skip() }
                if try !reader.null() { values[name] = try reader.string() }
            }
            try reader.end()
        } catch {
            throw CredentialsError("\(source) did not answer with credentials in JSON: \(error)", mayPass: true)
        }
        if let code = values["Code"], !code.equals("Success") {
            throw CredentialsError("\(source) answered '\(printable(code))' instead of credentials", mayPass: true)
        }
        let expiration = try values["Expiration"].map { text in
            guard let seconds = unixSeconds(ofTimestamp: String(decoding: text, as: UTF8.self)) else {
                throw CredentialsError("\(source) answered an Expiration that is not a time in UTC", mayPass: true)
            }
            return seconds
        }
        let names = (key: "AccessKeyId", secret: "SecretAccessKey", token: "Token")
        try self.init(names, " of \(source)", expiration: expiration) { values[$0] }
    }
}
