import Encoding
import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import StorePolicy

@Suite(.runLimit) struct StorePolicyTests {
    private func policy(_ text: String) throws -> StorePolicy {
        try StorePolicy(parsing: text.utf8, file: "p")
    }

    private func namespace(_ name: String) throws -> Namespace {
        try Namespace(validating: name.utf8)
    }

    @Test func `Namespaces without a section have the rules of the star`() throws {
        let policy = try policy(
            """
            ; payloads of orders are kept for long
            [orders]
            retention = 45d
            quota = 500g

              [*]   # all others
            \tretention=36h ; a day and a half
            """
        )
        #expect(policy[try namespace("orders")].retention?.seconds == 45 * 86_400)
        #expect(policy[try namespace("orders")].quota == 500 << 30)
        #expect(policy[try namespace("Orders")].retention?.seconds == 36 * 3600)
        #expect(policy[try namespace("other")].quota == nil)
    }

    @Test func `Even an empty section overrides the star`() throws {
        let policy = try policy("[*]\nretention = 45d\nquota = 1g\n[kept]\n[limited]\nquota = 0")
        #expect(policy[try namespace("kept")] == StorePolicy.Rules())
        #expect(policy[try namespace("limited")] == StorePolicy.Rules(retention: nil, quota: 0))
    }

    @Test func `A file without sections sets no rules`() throws {
        #expect(try policy("") == StorePolicy())
        #expect(try policy("\n  \n; comment\n# comment\r\n") == StorePolicy())
    }

    @Test(
        arguments: [
            ("caf%C3%A9", "café"), ("café", "café"), ("a b", "a b"), ("a%20", "a "), ("%2A", "*"), ("a%5Db", "a]b"),
            ("a;b#c", "a;b#c"), ("100%25", "100%"), ("a=b", "a=b"), ("[a", "[a"), ("**", "**"),
        ]
    )
    func `A section names its namespace, percent-encoded if necessary`(section: String, name: String) throws {
        let policy = try policy("[\(section)]\nquota = 7")
        #expect(policy.namespaces == [try namespace(name): StorePolicy.Rules(quota: 7)])
    }

    @Test func `Names that are equivalent in Unicode are different namespaces`() throws {
        let policy = try policy("[\u{e9}]\nquota = 1\n[e\u{301}]\nquota = 2")
        #expect(policy.namespaces.count == 2)
        #expect(policy[try namespace("\u{e9}")].quota == 1)
    }

    @Test(
        arguments: [
            ("[a]\nretention = 45", "line 2: retention is '45', expected an age like 45d, 36h, 90m or 30s"),
            ("[a]\nretention =", "line 2: retention is '', expected an age like 45d, 36h, 90m or 30s"),
            ("[a]\nretention = 1.5d", "line 2: retention is '1.5d', expected an age like 45d, 36h, 90m or 30s"),
            (
                "[a]\nretention = 99999999999d",
                "line 2: retention is '99999999999d', expected an age like 45d, 36h, 90m or 30s"
            ),
            ("\r\n[a]\r\nquota = 1t\r\n", "line 3: quota is '1t', expected a size like 1073741824, 512m or 500g"),
            ("[a]\nquota = -1", "line 2: quota is '-1', expected a size like 1073741824, 512m or 500g"),
            ("[a]\nRetention = 1d", "line 2: key 'Retention' is unknown, expected retention or quota"),
            ("[a]\n= 1d", "line 2: key '' is unknown, expected retention or quota"),
            ("[a]\nretention = 1d\n\nretention = 2d", "line 4: retention is repeated in its section"),
            ("[a]\n[b]\n[a]", "line 3: section [a] is repeated"),
            ("[a]\n[%61]", "line 2: section [%61] is repeated"),
            ("[*]\n[*]", "line 2: section [*] is repeated"),
            ("retention = 1d", "line 1: 'retention' comes before the first [namespace]"),
            ("[a]\nretention", "line 2: 'retention' is invalid, expected [namespace] or key = value"),
            ("[a]\nretention ; = 1d", "line 2: 'retention ; = 1d' is invalid, expected [namespace] or key = value"),
            ("[a", "line 1: '[a' is not a section, expected [namespace]"),
            ("[a] retention = 1d", "line 1: '[a] retention = 1d' is not a section, expected [namespace]"),
            ("[]", "line 1: section [] is not a valid namespace: namespace is empty"),
            ("[..]", "line 1: section [..] is not a valid namespace: namespace is '.' or '..'"),
            ("[a%2Fb]", "line 1: section [a%2Fb] is not a valid namespace: namespace contains '/'"),
            ("[a%0A]", "line 1: section [a%0A] is not a valid namespace: namespace contains a control character"),
            ("[%FF]", "line 1: section [%FF] is not a valid namespace: namespace is not valid UTF-8"),
            ("[a%2]", "line 1: section [a%2] has a % without two hex digits, write %25 for a %"),
            ("[a%zz]", "line 1: section [a%zz] has a % without two hex digits, write %25 for a %"),
            ("[ a]", "line 1: section [ a] begins or ends with white space, write %20 for a space"),
            ("[a]\n\u{7}x", "line 2: '\\u{07}x' is invalid, expected [namespace] or key = value"),
            ("\u{feff}[a]", "line 1: '\u{feff}[a]' is invalid, expected [namespace] or key = value"),
        ]
    )
    func `The error for an invalid line names the line and the reason`(text: String, message: String) throws {
        let error = #expect(throws: SettingsError.self) { try policy(text) }
        #expect(error?.description == "policy p, \(message)")
    }

    @Test func `Bytes that are not UTF-8 are refused`() throws {
        let error = #expect(throws: SettingsError.self) {
            try StorePolicy(parsing: Array("[a]\n".utf8) + [0xff], file: "p")
        }
        #expect(error?.description == "policy p, line 2: '\u{fffd}' is not UTF-8")
    }

    @Test func `A file has a maximum size, and its errors name it`() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("policy")
        func error() -> String? {
            (#expect(throws: (any Error).self) { try StorePolicy(contentsOfFile: path) }).map { "\($0)" }
        }
        #expect(error() == "read policy \(path): No such file or directory")
        let section = Array("[a]\nquota = 1\n".utf8)
        let rest = SettingsLine.sizeLimit - section.count
        try write(section + Array(repeating: UInt8(ascii: "\n"), count: rest), to: path)
        #expect(try StorePolicy(contentsOfFile: path)[namespace("a")].quota == 1)
        try write(section + Array(repeating: UInt8(ascii: "\n"), count: rest + 1), to: path)
        #expect(error() == "policy \(path) has over 1048576 bytes")
        try write("x".utf8, to: path)
        #expect(error()?.hasPrefix("policy \(path), line 1: ") == true)
    }
}
