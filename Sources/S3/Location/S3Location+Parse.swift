import Encoding

extension S3Location {
    /// Whether a store's place is meant as a bucket, well formed or not, and not as a folder.
    public static func isMeant(by place: String) -> Bool { place.utf8.starts(with: "s3:".utf8) }

    /// Reads `s3://BUCKET[/PREFIX]?NAME=VALUE&…`.
    ///
    /// - Parameter environment: the value of an environment variable. Without `endpoint=`, the endpoint is that of
    ///   `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or the profile, or else AWS's. Without `region=`, the region is that of
    ///   `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile, or else, with an endpoint, `us-east-1`.
    /// - Throws: ``S3LocationError``.
    public init(parsing url: String, environment: @escaping AWSEnvironment) throws {
        let url = Array(url.utf8)
        guard url.starts(with: "s3://".utf8) else {
            throw S3LocationError(
                "the store's URL does not begin with s3://, expected s3://BUCKET[/PREFIX]?NAME=VALUE…"
            )
        }
        let question = url.firstIndex(of: UInt8(ascii: "?")) ?? url.endIndex
        let path = url[..<question].dropFirst("s3://".utf8.count)
        let slash = path.firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
        guard !url.contains(UInt8(ascii: "#")) else {
            throw S3LocationError("the store's URL has a '#', expected %23 where a name has one")
        }
        bucket = try Self.bucket(path[..<slash])
        prefix = try Self.prefix(path[slash...].dropFirst())
        let settings = try S3Settings(query: url[question...].dropFirst(), environment: environment)
        let endpoint = try settings.endpoint()
        region = try settings.region(hasEndpoint: endpoint != nil)
        let server = try endpoint ?? Self.endpoint(ofAWS: region)
        isTLS = server.isTLS
        isPathStyle =
            try settings.isPathStyle(bucket, server) ?? (endpoint != nil || !Self.isInCertificate(bucket, server))
        host = isPathStyle ? server.authority : "\(bucket).\(server.authority)"
        storageClass = try settings.storageClass()
        encryption = try settings.encryption()
    }

    /// By AWS's rules, and those that older buckets were named by: up to 255 letters of either case, digits, `.`, `-`
    /// and `_`.
    private static func bucket(_ name: ArraySlice<UInt8>) throws -> String {
        // Who writes so means a user and a password.
        guard !name.contains(UInt8(ascii: "@")), !name.contains(UInt8(ascii: ":")) else {
            throw S3LocationError(
                "the store's URL has ':' or '@' before or in the bucket's name: expected s3://BUCKET, with credentials "
                    + "in the environment or in a file, never in the URL"
            )
        }
        guard (3...255).contains(name.count), isMade(name, with: ".-_"), !name.elementsEqual("...".utf8) else {
            throw S3LocationError(
                "the bucket's name is '\(printable(name))', expected 3 to 255 letters, digits, '.', '-' and '_'"
            )
        }
        return String(decoding: name, as: UTF8.self)
    }

    private static func prefix(_ text: ArraySlice<UInt8>) throws -> [UInt8] {
        guard !text.isEmpty else { return [] }
        let text = text.last == UInt8(ascii: "/") ? text.dropLast() : text
        guard let prefix = PercentEncoding.decodeStrictly(text) else {
            throw S3LocationError("the prefix is '\(printable(text))': a '%' is not followed by two hex digits")
        }
        let segments = prefix.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard prefix.count <= 512, String(validating: prefix, as: UTF8.self) != nil,
            prefix.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            segments.allSatisfy({ !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) })
        else {
            throw S3LocationError(
                "the prefix is '\(printable(prefix))', expected up to 512 bytes of UTF-8, without empty, '.' and '..' "
                    + "segments and control characters"
            )
        }
        return prefix
    }

    private static func endpoint(ofAWS region: String) throws -> Endpoint {
        let domain = region.utf8.starts(with: "cn-".utf8) ? "amazonaws.com.cn" : "amazonaws.com"
        guard isMade(region.utf8, with: "-"), let endpoint = Endpoint(parsing: "https://s3.\(region).\(domain)") else {
            throw S3LocationError("the region is '\(region)', expected one of AWS's, or endpoint=… in the store's URL")
        }
        return endpoint
    }

    /// Whether a bucket's name can stand before the endpoint's, and a certificate, whose wildcard stands for one label,
    /// is good for it.
    private static func isInCertificate(_ bucket: String, _ endpoint: Endpoint) -> Bool {
        isLabel(bucket) && !(endpoint.isTLS && bucket.utf8.contains(UInt8(ascii: ".")))
    }

    /// Whether a bucket's name can stand before a host's: lower case, since browsers and servers make it so.
    fileprivate static func isLabel(_ bucket: String) -> Bool {
        let isLower = bucket.utf8.allSatisfy {
            $0 != UInt8(ascii: "_") && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
        }
        return isLower && bucket.utf8.count <= 63 && Endpoint.isHostName(bucket.utf8)
            && bucket.utf8.first.map(isLetterOrDigit) == true && bucket.utf8.last.map(isLetterOrDigit) == true
    }
}

/// What a location's URL says behind its `?`, and what the AWS tools are configured for.
private struct S3Settings {
    private static let names = ["endpoint", "region", "path-style", "storage-class", "sse", "sse-kms-key-id"]

    /// The URL's parameters, decoded.
    private var parameters: [String: String] = [:]
    private let variables: Variables

    init(query: ArraySlice<UInt8>, environment: @escaping AWSEnvironment) throws {
        variables = Variables(environment)
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            // A value that belongs to no known name may be a secret.
            guard let name = Self.names.first(where: { $0.utf8.elementsEqual(pair[..<equals]) }) else {
                throw S3LocationError(
                    "the store's URL has a parameter '\(printable(pair[..<equals]))', expected one of "
                        + Self.names.joined(separator: ", ")
                )
            }
            guard parameters[name] == nil else {
                throw S3LocationError("the store's URL has '\(name)' twice, expected it once")
            }
            guard let bytes = PercentEncoding.decodeStrictly(pair[equals...].dropFirst()) else {
                throw S3LocationError("\(name) has a '%' that is not followed by two hex digits, expected %25")
            }
            parameters[name] = String(decoding: bytes, as: UTF8.self)
        }
    }

    /// The endpoint of the URL, or the one that the AWS tools would ask, in their order; `nil` for AWS's own.
    func endpoint() throws -> Endpoint? {
        if let url = parameters["endpoint"] { return try checkedEndpoint(url, of: "endpoint") }
        if variables.isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") { return nil }
        for name in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] {
            if let url = variables[name] { return try checkedEndpoint(url, of: name) }
        }
        return try profile()?.endpoint.map { try checkedEndpoint($0, of: "the profile's endpoint_url") }
    }

    func region(hasEndpoint: Bool) throws -> String {
        if let region = parameters["region"] { return try checkedRegion(region, of: "region") }
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if let region = variables[name] { return try checkedRegion(region, of: name) }
        }
        if let region = try profile()?.region { return try checkedRegion(region, of: "the profile's region") }
        if hasEndpoint { return "us-east-1" }
        throw S3LocationError(
            "no region: expected region=… in the store's URL, AWS_REGION, AWS_DEFAULT_REGION or a region in the profile"
        )
    }

    /// - Throws: ``S3LocationError`` when the bucket is to be part of a host's name and can't be.
    func isPathStyle(_ bucket: String, _ endpoint: Endpoint) throws -> Bool? {
        let asked = try value("path-style", "true or false") { ["true": true, "false": false][$0] }
        let start = "path-style is 'false', expected 'true':"
        guard asked == true || asked == nil || !endpoint.isAddress else {
            throw S3LocationError("\(start) '\(endpoint.host)' is an address, which has no subdomains")
        }
        guard asked == true || asked == nil || S3Location.isLabel(bucket) else {
            throw S3LocationError("\(start) '\(bucket)' can't be part of a host's name")
        }
        return asked
    }

    func storageClass() throws -> String? {
        try value("storage-class", "letters, digits, '-' and '_', like STANDARD_IA") { text in
            (1...64).contains(text.utf8.count) && isMade(text.utf8, with: "-_") ? text : nil
        }
    }

    func encryption() throws -> S3Location.Encryption? {
        let algorithm = try value("sse", "AES256, aws:kms or aws:kms:dsse") { text in
            ["AES256", "aws:kms", "aws:kms:dsse"].contains(text) ? text : nil
        }
        let key = try value("sse-kms-key-id", "a key's name, without white space") { text in
            (1...2048).contains(text.utf8.count) && isVisible(text.utf8) ? text : nil
        }
        guard key == nil || algorithm?.utf8.starts(with: "aws:kms".utf8) == true else {
            throw S3LocationError("sse is '\(algorithm ?? "")', expected aws:kms or aws:kms:dsse beside sse-kms-key-id")
        }
        return algorithm.map { S3Location.Encryption(algorithm: $0, kmsKeyID: key) }
    }

    private func value<Value>(_ name: String, _ expected: String, _ parse: (String) -> Value?) throws -> Value? {
        guard let text = parameters[name] else { return nil }
        guard let value = parse(text) else {
            throw S3LocationError("\(name) is '\(printable(text.utf8))', expected \(expected)")
        }
        return value
    }

    private func checkedEndpoint(_ url: String, of name: String) throws -> Endpoint {
        let expected = "expected http://HOST[:PORT] or https://HOST[:PORT]"
        guard !url.utf8.contains(UInt8(ascii: "@")) else {
            throw S3LocationError("\(name) has an '@', \(expected), without user and password")
        }
        guard let endpoint = Endpoint(parsing: url) else {
            throw S3LocationError("\(name) is '\(printable(url.utf8))', \(expected), without a path")
        }
        return endpoint
    }

    private func checkedRegion(_ region: String, of name: String) throws -> String {
        guard (1...64).contains(region.utf8.count), isMade(region.utf8, with: "-_.") else {
            throw S3LocationError("\(name) is '\(printable(region.utf8))', expected a region like eu-central-1")
        }
        return region
    }

    private func profile() throws -> Profile? {
        do {
            return try SharedFiles(variables).profile()
        } catch {
            throw S3LocationError("profile: \(error)")
        }
    }
}

/// Whether a text is made of ASCII letters, digits and some other characters.
private func isMade(_ text: some Sequence<UInt8>, with others: String) -> Bool {
    text.allSatisfy { isLetterOrDigit($0) || others.utf8.contains($0) }
}
