import Foundation
import TestSupport
import Testing

@testable import S3

/// The sources of credentials, as searched by the AWS tools.
@Suite(.runLimit) struct CredentialsSourceTests {
    private static let written = """
        [default]
        aws_access_key_id = AKIDEFAULT
        aws_secret_access_key = secret-default

        [tests]
        aws_access_key_id = AKITESTS
        aws_secret_access_key = secret-tests
        aws_session_token = token-tests
        """
    private static let unfit = "has white space, a control character or more than 16384 bytes"

    // MARK: Environment

    @Test func `The environment takes precedence over the files, and empty variables are ignored`() throws {
        let aws = try AWSFixture()
        try aws.writeCredentials(Self.written)
        aws.set(["AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": ""])
        #expect(try aws.key() == "AKIDEFAULT")
        aws.set(["AWS_ACCESS_KEY_ID": "AKIENV", "AWS_SECRET_ACCESS_KEY": "secret-env"])
        #expect(try aws.source().credentials() == Credentials(accessKey: "AKIENV", secretKey: "secret-env"))
        aws["AWS_SESSION_TOKEN"] = "token-env"
        #expect(try aws.source().credentials().sessionToken == "token-env")
    }

    @Test func `The error names a missing key, or one that is invalid in a header`() throws {
        let aws = try AWSFixture()
        aws["AWS_ACCESS_KEY_ID"] = "AKIENV"
        #expect(aws.failure() == "AWS_SECRET_ACCESS_KEY is missing")
        for secret in ["hunter2\n", "hunter2 ", "hunter2\r\nHost: a", "hünter2", "hunter2\u{0}"] {
            aws["AWS_SECRET_ACCESS_KEY"] = secret
            #expect(aws.failure() == "AWS_SECRET_ACCESS_KEY \(Self.unfit)")
        }
        aws.set(["AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_ACCESS_KEY_ID": nil])
        #expect(aws.failure() == "AWS_ACCESS_KEY_ID is missing")
    }

    // MARK: Files

    @Test func `The environment selects the profile`() throws {
        let aws = try AWSFixture()
        try aws.writeCredentials(Self.written)
        #expect(try aws.key() == "AKIDEFAULT")
        aws["AWS_DEFAULT_PROFILE"] = "tests"
        let tests = Credentials(accessKey: "AKITESTS", secretKey: "secret-tests", sessionToken: "token-tests")
        #expect(try aws.source().credentials() == tests)
        aws["AWS_PROFILE"] = "default"
        #expect(try aws.key() == "AKIDEFAULT")
        aws["AWS_PROFILE"] = "other"
        #expect(
            aws.failure()
                == "profile 'other' (AWS_PROFILE) is not in \(aws.credentialsFile) and \(aws.configurationFile)"
        )
    }

    @Test(arguments: ["[profile tests]", "[profile \"tests\"]", "[profile  'tests' ]", "[\tprofile\ttests]"])
    func `Profiles in the configuration have their kind before their name`(_ section: String) throws {
        let aws = try AWSFixture()
        aws["AWS_PROFILE"] = "tests"
        let settings = "aws_access_key_id = AKICONFIG\naws_secret_access_key = s\n"
        try aws.writeConfiguration("\(section)\n\(settings)")
        #expect(try aws.key() == "AKICONFIG")
        try aws.writeConfiguration("[tests]\n\(settings)")
        #expect(aws.failure().contains("is not in"))
        // The credentials file takes precedence, and has names without a kind.
        try aws.writeConfiguration("\(section)\n\(settings)")
        try aws.writeCredentials(Self.written)
        #expect(try aws.key() == "AKITESTS")
    }

    @Test func `The environment can name other files`() throws {
        let aws = try AWSFixture()
        try write(Self.written.utf8, to: aws.home.file("a"))
        aws["AWS_SHARED_CREDENTIALS_FILE"] = aws.home.file("a")
        #expect(try aws.key() == "AKIDEFAULT")
        aws["AWS_SHARED_CREDENTIALS_FILE"] = "~/a"
        #expect(try aws.key() == "AKIDEFAULT")
        aws["AWS_SHARED_CREDENTIALS_FILE"] = aws.home.file("missing")
        try write("[default]\naws_access_key_id=AKICONFIG\naws_secret_access_key=s".utf8, to: aws.home.file("b"))
        aws["AWS_CONFIG_FILE"] = aws.home.file("b")
        #expect(try aws.key() == "AKICONFIG")
        aws["HOME"] = nil
        #expect(try aws.key() == "AKICONFIG")
        aws["AWS_CONFIG_FILE"] = aws.home.path
        #expect(aws.failure() == "read \(aws.home.path): Is a directory")
    }

    @Test func `Settings are parsed as by the AWS tools`() throws {
        let aws = try AWSFixture()
        let text = """
            # A comment; and one with [default]
            ; aws_access_key_id = AKICOMMENT
            \u{20}
            [default]\u{20}\u{20}
            AWS_ACCESS_KEY_ID=AKIDEFAULT # not part of it\r
            s3 =
                addressing_style = path
                aws_access_key_id = AKINESTED
            aws_secret_access_key\t=\t a=b#c;d/+ \t
            region =
            [other]
            aws_access_key_id = AKIOTHER
            [default]
              aws_session_token = indented
              cli_pager =
            """
        try aws.writeCredentials(text)
        let expected = Credentials(accessKey: "AKIDEFAULT", secretKey: "a=b#c;d/+", sessionToken: "indented")
        #expect(try aws.source().credentials() == expected)
    }

    @Test(arguments: [
        ("aws_secret_access_key = hunter2\n", 1, "a [SECTION] before it"),
        ("[default]\n\nhunter2\n", 3, "NAME = VALUE"),
        ("[default]\n= hunter2\n", 2, "NAME = VALUE"),
        ("[default\nhunter2", 1, "[SECTION]"),
        ("[]\n", 1, "[SECTION]"),
    ])
    func `The error names the line, but not its content`(_ text: String, _ line: Int, _ expected: String) throws {
        let aws = try AWSFixture()
        try aws.writeCredentials(text)
        #expect(aws.failure() == "\(aws.credentialsFile), line \(line): expected \(expected)")
    }

    @Test func `Any text is valid, or gives a one-line error without its content`() {
        let pieces = [
            "[", "]", "default", "\n", "\r", " ", "\t", "=", "#", ";", "hunter2", "\u{0}", "é", "aws_access_key_id",
        ]
        for text in randomTexts(5000, of: pieces, longest: 12) {
            var message = ""
            do {
                _ = try INIFile(Array(text.utf8), path: "file")
            } catch {
                message = "\(error)"
            }
            #expect(!message.contains("hunter2") && !message.contains { $0.isNewline })
        }
    }

    @Test func `An endless file, and settings that are invalid in a header, are refused`() throws {
        let aws = try AWSFixture()
        aws["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/zero"
        #expect(aws.failure() == "read /dev/zero: it has over 1048576 bytes")
        aws["AWS_SHARED_CREDENTIALS_FILE"] = nil
        let setting = "aws_secret_access_key in profile 'default' of \(aws.credentialsFile)"
        let start = Array("[default]\naws_access_key_id = AKI\naws_secret_access_key = hunter2".utf8)
        for bytes in [[0xFF], [0], Array(" 3".utf8), Array("é".utf8), [UInt8](repeating: 0x41, count: 17000)] {
            try write(start + bytes, to: aws.credentialsFile)
            #expect(aws.failure() == "\(setting) \(Self.unfit)")
        }
        try aws.writeCredentials("[default]\naws_access_key_id = AKI\naws_secret_access_key =")
        #expect(aws.failure() == "\(setting) is missing")
    }

    @Test(arguments: [
        "credential_process = /bin/true", "sso_session = a", "sso_start_url = https://a",
        "web_identity_token_file = /a",
        "credential_source = Environment", "role_arn = arn:aws:iam::1:role/a\nsource_profile = tests",
        "role_arn = a\naws_access_key_id = AKI\naws_secret_access_key = s",
    ])
    func `The error names the profile and its unsupported setting`(_ setting: String) throws {
        let aws = try AWSFixture()
        try aws.writeConfiguration("[default]\n\(setting)\n")
        let name = setting.prefix { $0 != " " }
        #expect(
            aws.failure()
                == "profile 'default' of \(aws.configurationFile) has \(name), which is not supported: use "
                + "aws_access_key_id and aws_secret_access_key"
        )
        if name != "role_arn" {
            try aws.writeCredentials(Self.written)
            #expect(try aws.key() == "AKIDEFAULT")
        }
    }

    @Test func `Web identity is refused instead of using the machine's role`() throws {
        let aws = try AWSFixture(["AWS_WEB_IDENTITY_TOKEN_FILE": "/token"])
        #expect(
            aws.failure()
                == "AWS_WEB_IDENTITY_TOKEN_FILE is set, which is not supported: use EKS Pod Identity or keys"
        )
        try aws.writeCredentials(Self.written)
        #expect(try aws.key() == "AKIDEFAULT")
    }

    @Test func `The error names all places that were searched`() throws {
        let aws = try AWSFixture()
        try aws.writeConfiguration("[default]\nregion = r\n")
        #expect(
            aws.failure() == "no credentials: AWS_ACCESS_KEY_ID is not set, profile 'default' has none in "
                + "\(aws.credentialsFile) and \(aws.configurationFile), no container's endpoint is set, and the "
                + "instance's metadata service is disabled (AWS_EC2_METADATA_DISABLED)"
        )
        aws["AWS_EC2_METADATA_DISABLED"] = nil
        aws["HOME"] = nil
        #expect(
            aws.failure() == "no credentials: AWS_ACCESS_KEY_ID is not set, profile 'default' has none in any file "
                + "(HOME is not set), no container's endpoint is set, and the instance's metadata service: "
                + "http://169.254.169.254/latest/api/token was asked"
        )
    }

    @Test func `A default file without permission is ignored, a configured one is an error`() throws {
        let aws = try AWSFixture()
        try aws.writeCredentials(Self.written)
        #expect(chmod(aws.credentialsFile, 0) == 0)
        try concurrently(1) { _ in
            becomeNobodyForFiles()
            let none = "profile 'default' has none in \(aws.credentialsFile) (no permission) and "
            #expect(aws.failure().contains(none))
            aws["AWS_SHARED_CREDENTIALS_FILE"] = aws.credentialsFile
            #expect(aws.failure() == "read \(aws.credentialsFile): Permission denied")
        }
    }

    // MARK: Secrets

    @Test func `No description of credentials contains their secrets`() {
        let credentials = Credentials(accessKey: "AKI", secretKey: "hunter2", sessionToken: "swordfish", expiration: 0)
        var dumped = ""
        dump(credentials, to: &dumped)
        dump([credentials], to: &dumped)
        let texts = [
            "\(credentials)", credentials.debugDescription, "\([credentials])", "\(Optional(credentials) as Any)",
            String(reflecting: (credentials, 1)), "\(CredentialsChain.Found(credentials: credentials))",
            dumped,
        ]
        for text in texts { #expect(!text.contains("hunter2") && !text.contains("swordfish")) }
        #expect("\(credentials)" == "credentials AKI, which expire at 19700101T000000Z")
    }
}

/// Makes the calling thread another user for file access, without root's permissions (setfsuid(2), which Swift's Glibc
/// does not export).
private func becomeNobodyForFiles() {
    let call = dlsym(nil, "setfsuid")
    _ = unsafeBitCast(call, to: (@convention(c) (uid_t) -> Int32).self)(65534)
}
