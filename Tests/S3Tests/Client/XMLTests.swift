import TestSupport
import Testing

@testable import S3

@Suite(.runLimit) struct XMLTests {
    private func elements(_ document: String) throws -> [String] {
        var found: [String] = []
        try readXML(Array(document.utf8), root: "a") { path, text in
            found.append(path.joined(separator: "/") + "=" + String(decoding: text, as: UTF8.self))
        }
        return found
    }

    @Test func `Elements are reported at their ends, with paths and texts`() throws {
        let found = try elements(
            "<?xml version=\"1.0\"?>\n<a xmlns=\"urn:x\"><b c=\"d\">1 &lt;&#50;</b><b><![CDATA[<3>]]></b><e/>rest</a>"
        )
        #expect(found == ["b=1 <2", "b=<3>", "e="])
    }

    @Test(arguments: [
        "", " ", "text", "<a>", "<a></b>", "<a/><b/>", "<a b></a>", "<a>&unknown;</a>",
        "<html><br></html>", "<a xmlns:b='x'><b:c/></a", "{\"Error\":1}",
    ])
    func `Malformed XML is refused`(document: String) {
        #expect(throws: XMLError.self) { try elements(document) }
    }

    @Test(arguments: [
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY x \"xxxxxxxxxx\"><!ENTITY y \"&x;&x;&x;&x;\">]><a>&y;</a>",
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
    ])
    func `A document type is refused, and thus any entity`(document: String) {
        #expect(throws: XMLError(description: "XML: a document type")) { try elements(document) }
    }

    @Test func `More than sixteen levels are refused`() throws {
        let deep = String(repeating: "<a>", count: 16) + String(repeating: "</a>", count: 16)
        #expect(try elements(deep).count == 15)
        #expect(throws: XMLError(description: "XML: over 16 levels")) { try elements("<a>\(deep)</a>") }
        #expect(throws: XMLError(description: "XML: over 16 levels")) {
            try elements(String(repeating: "<a>", count: 100_000))
        }
    }

    @Test func `A text of more than 64 KiB is refused`() throws {
        let text = String(repeating: "x", count: 64 * 1024)
        #expect(try elements("<a><b>\(text)</b></a>").count == 1)
        #expect(throws: XMLError(description: "XML: a text of over 64 KiB")) { try elements("<a>\(text)x</a>") }
    }

    @Test func `Another root is refused`() {
        #expect(throws: XMLError(description: "XML: <b>, expected <a>")) { try elements("<b><c>") }
    }

    // Ceph 16.2 writes both forms into a listing's token.
    @Test func `Characters that XML can't represent are read as U+FFFD`() throws {
        let text = "1\u{1}2&#x01;3\u{FFFE}4\u{FFFF}5&#65534;6&#x41;\t\u{FFFD}&#xZ;"
        #expect(throws: XMLError.self) { try elements("<a>\(text)</a>") }
        let read = "1\u{FFFD}2\u{FFFD}3\u{FFFD}4\u{FFFD}5\u{FFFD}6A\t\u{FFFD}"
        #expect(try elements("<a><b>\(text.dropLast(5))</b></a>") == ["b=\(read)"])
    }

    @Test func `A document in UTF-16 is parsed`() throws {
        var bytes: [UInt8] = [0xFF, 0xFE]
        for unit in "<a><b>é</b></a>".utf16 { bytes += [UInt8(unit & 255), UInt8(unit >> 8)] }
        var text: [UInt8] = []
        try readXML(bytes, root: "a") { text = $1 }
        #expect(text == Array("é".utf8))
    }

    @Test func `An error's code, message, region and time are parsed`() {
        let error = ErrorAnswer(
            Array(
                """
                <?xml version="1.0" encoding="UTF-8"?>
                <Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong &amp; so</Message>
                <Region>eu-west-1</Region><ServerTime>2026-11-26T22:00:00Z</ServerTime><StringToSign><Code>x</Code></StringToSign></Error>
                """.utf8
            )
        )
        #expect(error?.code == "AuthorizationHeaderMalformed")
        #expect(error?.message == "wrong & so")
        #expect(error?.region == "eu-west-1")
        #expect(error?.serverTime == "2026-11-26T22:00:00Z")
    }

    @Test(arguments: [
        "", "<Error/>", "<Error><Code/></Error>", "<html><Code>NoSuchKey</Code></html>",
        "<Error><Code>NoSuchKey</Code>",
        "<a><Error><Code>NoSuchKey</Code></Error></a>",
    ])
    func `An incomplete S3 error is refused`(body: String) {
        #expect(ErrorAnswer(Array(body.utf8)) == nil)
    }

    private let entry =
        "<Contents><Key>a%2Bb+c</Key><Size>7</Size><LastModified>2026-11-26T22:08:46.123Z</LastModified></Contents>"

    @Test func `The keys of a page are decoded if the page declares them encoded`() throws {
        let plain = "<ListBucketResult>\(entry)<IsTruncated>false</IsTruncated></ListBucketResult>"
        let page = try ListPage(Array(plain.utf8))
        #expect(page.objects == [S3Object(key: Array("a%2Bb+c".utf8), size: 7, lastModified: 1_795_730_926)])
        #expect(!page.isTruncated)
        let encoded =
            "<ListBucketResult>\(entry)<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
            + "<NextContinuationToken>a%2B</NextContinuationToken></ListBucketResult>"
        let other = try ListPage(Array(encoded.utf8))
        #expect(other.objects.map(\.key) == [Array("a+b c".utf8)])
        #expect(other.isTruncated)
        #expect(try #require(other.next) == ("continuation-token", "a%2B"))
    }

    @Test(arguments: [
        "<Contents><Size>7</Size><LastModified>2026-11-26T22:08:46Z</LastModified></Contents>",
        "<Contents><Key>a</Key><LastModified>2026-11-26T22:08:46Z</LastModified></Contents>",
        "<Contents><Key>a</Key><Size>-7</Size><LastModified>2026-11-26T22:08:46Z</LastModified></Contents>",
        "<Contents><Key>a</Key><Size>18446744073709551616</Size>"
            + "<LastModified>2026-11-26T22:08:46Z</LastModified></Contents>",
        "<Contents><Key>a</Key><Size>7</Size><LastModified>yesterday</LastModified></Contents>",
    ])
    func `A listed object without a key, a size or a time is refused`(entry: String) {
        #expect(throws: XMLError.self) { try ListPage(Array("<ListBucketResult>\(entry)</ListBucketResult>".utf8)) }
    }
}
