import Encoding
import HTTP

extension S3Location {
    /// Whether a store's location means a bucket, well-formed or not, rather than a folder.
    public static func isMeant(by place: String) -> Bool { place.utf8.starts(with: "s3:".utf8) }

    /// Parses `s3://BUCKET[/PREFIX]?NAME=VALUE&…`.
    ///
    /// - Parameter environment: returns the value of an environment variable. Without `endpoint=`, the endpoint is that
    ///   of `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or the profile, or else AWS's. Without `region=`, the region is
    ///   that of `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile, or else, with an endpoint, `us-east-1`.
    /// - Throws: ``S3LocationError``.
    public init(parsing url: String, environment: @escaping AWSEnvironment) throws {
        let url = Array(url.utf8)
        guard url.starts(with: "s3://".utf8) else {
            throw S3LocationError(
                "the store's URL does not begin with s3://, expected s3://BUCKET[/PREFIX]?NAME=VALUE…"
            )
        }
        guard !url.contains(UInt8(ascii: "#")) else {
            throw S3LocationError("the store's URL has a '#', expected %23 where a name has one")
        }
        let path = url.dropFirst("s3://".utf8.count).prefix { $0 != UInt8(ascii: "?") }
        let bucketName = path.prefix { $0 != UInt8(ascii: "/") }
        bucket = try Self.bucket(bucketName)
        prefix = try Self.prefix(path[bucketName.endIndex...].dropFirst())
        let parameters = try S3Parameter.values(query: url[path.endIndex...].dropFirst())
        let variables = Variables(environment)
        let isIgnored = variables.isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        let endpoint = try (parameters[.endpoint] ?? (isIgnored ? nil : Self.configured(.endpoint, variables)))
            .flatMap { Endpoint(parsing: $0) }
        let usual = endpoint == nil ? nil : "us-east-1"
        guard let region = try parameters[.region] ?? Self.configured(.region, variables) ?? usual else {
            throw S3LocationError(
                "no region: expected region=… in the store's URL, AWS_REGION, AWS_DEFAULT_REGION or a region in the "
                    + "profile"
            )
        }
        self.region = region
        let server = try endpoint ?? Self.endpoint(ofAWS: region)
        let pathStyle = parameters[.pathStyle]
        if pathStyle == "false" { try Self.checkSubdomain(bucket, server) }
        isPathStyle = pathStyle.map { $0 == "true" } ?? (endpoint != nil || !Self.isInCertificate(bucket, server))
        host = isPathStyle ? server.authority : "\(bucket).\(server.authority)"
        origin = server.scheme + host
        newObject = try Self.newObject(parameters)
    }

    /// Accepts names by AWS's current rules and by those for older buckets: up to 255 letters of either case, digits,
    /// `.`, `-` and `_`.
    private static func bucket(_ name: ArraySlice<UInt8>) throws -> String {
        // These characters suggest a user and a password.
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
            !segments.contains(where: { ["", ".", ".."].contains(String(decoding: $0, as: UTF8.self)) })
        else {
            throw S3LocationError(
                "the prefix is '\(printable(prefix))', expected up to 512 bytes of UTF-8, without empty, '.' and '..' "
                    + "segments and control characters"
            )
        }
        return prefix
    }

    /// The AWS tools' configured value: that of the first variable that is set, or else of the profile.
    private static func configured(_ parameter: S3Parameter, _ variables: Variables) throws -> String? {
        let isEndpoint = parameter == .endpoint
        for name in isEndpoint ? ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] : ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if let text = variables[name] { return try parameter.checked(text, of: name) }
        }
        do {
            guard let profile = try SharedFiles(variables).profile() else { return nil }
            let (name, text) = isEndpoint ? ("endpoint_url", profile.endpoint) : ("region", profile.region)
            return try text.map { try parameter.checked($0, of: "the profile's \(name)") }
        } catch let error as CredentialsError {
            throw S3LocationError("profile: \(error)")
        }
    }

    private static func endpoint(ofAWS region: String) throws -> Endpoint {
        let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        guard isMade(region.utf8, with: "-"), let endpoint = Endpoint(parsing: "https://s3.\(region).\(domain)") else {
            throw S3LocationError("the region is '\(region)', expected one of AWS's, or endpoint=… in the store's URL")
        }
        return endpoint
    }

    private static func checkSubdomain(_ bucket: String, _ endpoint: Endpoint) throws {
        let start = "path-style is 'false', expected 'true':"
        guard !endpoint.isAddress else {
            throw S3LocationError("\(start) '\(endpoint.host)' is an address, which has no subdomains")
        }
        guard isLabel(bucket) else {
            throw S3LocationError("\(start) '\(bucket)' can't be part of a host's name")
        }
    }

    /// Whether a bucket's name can be a subdomain of the endpoint, and the endpoint's wildcard certificate, which
    /// covers one label, matches it.
    private static func isInCertificate(_ bucket: String, _ endpoint: Endpoint) -> Bool {
        isLabel(bucket) && !(endpoint.isTLS && bucket.contains("."))
    }

    /// Whether a bucket's name can be a subdomain. It must be lower case, because browsers and servers convert host
    /// names.
    private static func isLabel(_ bucket: String) -> Bool {
        bucket == bucket.lowercased() && isMade(bucket.utf8, with: ".-") && bucket.utf8.count <= 63
            && Endpoint.isHostName(bucket) && isMade(bucket.utf8.prefix(1)) && isMade(bucket.utf8.suffix(1))
    }

    private static func newObject(_ parameters: [S3Parameter: String]) throws -> S3Request.Fields {
        let encryption = parameters[.encryption] ?? ""
        guard parameters[.encryptionKey] == nil || encryption.hasPrefix("aws:kms") else {
            throw S3LocationError("sse is '\(encryption)', expected aws:kms or aws:kms:dsse with sse-kms-key-id")
        }
        return S3Parameter.allCases.compactMap { parameter in
            guard let header = parameter.header, let value = parameters[parameter] else { return nil }
            return (header, value)
        }
    }
}
