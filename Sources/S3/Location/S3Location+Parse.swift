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
    public init(parsing url: String, environment: @escaping AWSEnvironment) throws(S3LocationError) {
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
        let parameters = try S3LocationParameters(url[question...].dropFirst())
        let named = try parameters.endpoint()
        let endpoint = if let named { named } else { try Self.endpoint(environment) }
        if let region = try parameters.region() {
            self.region = region
        } else {
            region = try Self.region(environment, hasEndpoint: endpoint != nil)
        }
        let server = if let endpoint { endpoint } else { try Self.endpoint(ofAWS: region) }
        isTLS = server.isTLS
        isPathStyle = try Self.isPathStyle(bucket, server, asked: parameters.isPathStyle(), isAWS: endpoint == nil)
        host = isPathStyle ? server.authority : "\(bucket).\(server.authority)"
        storageClass = try parameters.storageClass()
        encryption = try parameters.encryption()
    }

    /// By AWS's rules, and those that older buckets were named by: up to 255 letters of either case, digits, `.`, `-`
    /// and `_`.
    private static func bucket(_ name: ArraySlice<UInt8>) throws(S3LocationError) -> String {
        // Who writes so means a user and a password.
        guard !name.contains(UInt8(ascii: "@")), !name.contains(UInt8(ascii: ":")) else {
            throw S3LocationError(
                "the store's URL has ':' or '@' before or in the bucket's name: expected s3://BUCKET, with credentials "
                    + "in the environment or in a file, never in the URL"
            )
        }
        let isName = name.allSatisfy { isLetterOrDigit($0) || ".-_".utf8.contains($0) }
        guard (3...255).contains(name.count), isName, !name.elementsEqual("...".utf8) else {
            throw S3LocationError(
                "the bucket's name is '\(printable(name))', expected 3 to 255 letters, digits, '.', '-' and '_'"
            )
        }
        return String(decoding: name, as: UTF8.self)
    }

    private static func prefix(_ text: ArraySlice<UInt8>) throws(S3LocationError) -> [UInt8] {
        let expected = "expected up to 512 bytes of UTF-8, without empty, '.' and '..' segments and control characters"
        guard !text.isEmpty else { return [] }
        let text = text.last == UInt8(ascii: "/") ? text.dropLast() : text
        guard let prefix = PercentEncoding.decodeStrictly(text) else {
            throw S3LocationError("the prefix is '\(printable(text))': a '%' is not followed by two hex digits")
        }
        let segments = prefix.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard prefix.count <= 512, String(validating: prefix, as: UTF8.self) != nil,
            prefix.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            segments.allSatisfy({ !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) })
        else { throw S3LocationError("the prefix is '\(printable(prefix))', \(expected)") }
        return prefix
    }

    private static func region(_ environment: @escaping AWSEnvironment, hasEndpoint: Bool) throws(S3LocationError)
        -> String
    {
        let variables = Variables(environment)
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            guard let region = variables[name] else { continue }
            return try checkedRegion(region, of: name)
        }
        if let region = try profile(variables)?.region { return try checkedRegion(region, of: "the profile's region") }
        if hasEndpoint { return "us-east-1" }
        throw S3LocationError(
            "no region: expected region=… in the store's URL, AWS_REGION, AWS_DEFAULT_REGION or a region in the profile"
        )
    }

    /// The endpoint that the AWS tools would ask, if it is not AWS's own; in their order.
    private static func endpoint(_ environment: @escaping AWSEnvironment) throws(S3LocationError) -> Endpoint? {
        let variables = Variables(environment)
        if variables.isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") { return nil }
        for name in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] {
            if let url = variables[name] { return try checkedEndpoint(url, of: name) }
        }
        let profile = try profile(variables)
        return try profile?.endpoint.map { url throws(S3LocationError) in
            try checkedEndpoint(url, of: "the profile's endpoint_url")
        }
    }

    private static func profile(_ variables: Variables) throws(S3LocationError) -> Profile? {
        do {
            return try SharedFiles(variables).profile()
        } catch {
            throw S3LocationError("profile: \(error)")
        }
    }

    fileprivate static func checkedEndpoint(_ url: String, of name: String) throws(S3LocationError) -> Endpoint {
        let expected = "expected http://HOST[:PORT] or https://HOST[:PORT]"
        guard !url.utf8.contains(UInt8(ascii: "@")) else {
            throw S3LocationError("\(name) has an '@', \(expected), without user and password")
        }
        guard let endpoint = Endpoint(parsing: url) else {
            throw S3LocationError("\(name) is '\(printable(url.utf8))', \(expected), without a path")
        }
        return endpoint
    }

    fileprivate static func checkedRegion(_ region: String, of name: String) throws(S3LocationError) -> String {
        let isRegion = region.utf8.allSatisfy { isLetterOrDigit($0) || "-_.".utf8.contains($0) }
        guard (1...64).contains(region.utf8.count), isRegion else {
            throw S3LocationError("\(name) is '\(printable(region.utf8))', expected a region like eu-central-1")
        }
        return region
    }

    private static func endpoint(ofAWS region: String) throws(S3LocationError) -> Endpoint {
        let domain = region.utf8.starts(with: "cn-".utf8) ? "amazonaws.com.cn" : "amazonaws.com"
        let isLabel = region.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
        guard isLabel, let endpoint = Endpoint(parsing: "https://s3.\(region).\(domain)") else {
            throw S3LocationError("the region is '\(region)', expected one of AWS's, or endpoint=… in the store's URL")
        }
        return endpoint
    }

    private static func isPathStyle(
        _ bucket: String,
        _ endpoint: Endpoint,
        asked: Bool?,
        isAWS: Bool
    ) throws(S3LocationError) -> Bool {
        let isLabel = isLabel(bucket)
        if asked == false {
            guard !endpoint.isAddress else {
                throw S3LocationError(
                    "path-style is 'false', expected 'true': '\(endpoint.host)' is an address, which has no subdomains"
                )
            }
            guard isLabel else {
                throw S3LocationError(
                    "path-style is 'false', expected 'true': '\(bucket)' can't be part of a host's name"
                )
            }
        }
        // The certificate's wildcard stands for one label.
        let hasCertificate = !endpoint.isTLS || !bucket.utf8.contains(UInt8(ascii: "."))
        return asked ?? !(isAWS && isLabel && hasCertificate)
    }

    /// Whether a bucket's name can stand before a host's: lower case, since browsers and servers make it so.
    private static func isLabel(_ bucket: String) -> Bool {
        let isLower = bucket.utf8.allSatisfy {
            $0 != UInt8(ascii: "_") && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
        }
        return isLower && bucket.utf8.count <= 63 && Endpoint.isHostName(bucket.utf8)
            && bucket.utf8.first.map(isLetterOrDigit) == true && bucket.utf8.last.map(isLetterOrDigit) == true
    }
}

/// The parameters of a location's URL, decoded.
private struct S3LocationParameters {
    private static let names = ["endpoint", "region", "path-style", "storage-class", "sse", "sse-kms-key-id"]

    private var values: [String: String] = [:]

    init(_ query: ArraySlice<UInt8>) throws(S3LocationError) {
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            // A value that belongs to no known name may be a secret.
            guard let name = Self.names.first(where: { $0.utf8.elementsEqual(pair[..<equals]) }) else {
                throw S3LocationError(
                    "the store's URL has a parameter '\(printable(pair[..<equals]))', expected one of "
                        + Self.names.joined(separator: ", ")
                )
            }
            guard values[name] == nil else {
                throw S3LocationError("the store's URL has '\(name)' twice, expected it once")
            }
            guard let bytes = PercentEncoding.decodeStrictly(pair[equals...].dropFirst()) else {
                throw S3LocationError("\(name) has a '%' that is not followed by two hex digits, expected %25")
            }
            values[name] = String(decoding: bytes, as: UTF8.self)
        }
    }

    func endpoint() throws(S3LocationError) -> Endpoint? {
        guard let url = values["endpoint"] else { return nil }
        return try S3Location.checkedEndpoint(url, of: "endpoint")
    }

    func region() throws(S3LocationError) -> String? {
        guard let region = values["region"] else { return nil }
        return try S3Location.checkedRegion(region, of: "region")
    }

    func isPathStyle() throws(S3LocationError) -> Bool? {
        try value("path-style", "true or false") { ["true": true, "false": false][$0] }
    }

    func storageClass() throws(S3LocationError) -> String? {
        try value("storage-class", "letters, digits, '-' and '_', like STANDARD_IA") { text in
            let isClass = text.utf8.allSatisfy { isLetterOrDigit($0) || "-_".utf8.contains($0) }
            return (1...64).contains(text.utf8.count) && isClass ? text : nil
        }
    }

    func encryption() throws(S3LocationError) -> S3Location.Encryption? {
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

    private func value<Value>(
        _ name: String,
        _ expected: String,
        _ parse: (String) -> Value?
    ) throws(S3LocationError) -> Value? {
        guard let text = values[name] else { return nil }
        guard let value = parse(text) else {
            throw S3LocationError("\(name) is '\(printable(text.utf8))', expected \(expected)")
        }
        return value
    }
}
