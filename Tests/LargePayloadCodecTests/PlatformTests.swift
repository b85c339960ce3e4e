import Foundation
import TestSupport
import Testing

/// The library cannot be built for macOS where these tests run, so they only look for what macOS does not have.
@Suite(.runLimit) struct PlatformTests {
    private static let modules = [
        "AsyncHTTPClient", "Crypto", "Encoding", "Logging", "Metrics", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL",
        "PayloadKey", "Synchronization",
    ]

    @Test func `The library imports only modules that macOS has, and FoundationEssentials only where there is one`()
        throws
    {
        let guarded = """
            #if canImport(FoundationEssentials)
                import FoundationEssentials
            #else
                import Foundation
            #endif

            """
        var count = 0
        for target in ["Encoding", "PayloadKey", "LargePayloadCodec"] {
            for name in files(below: "\(Project.root)/Sources/\(target)")
            where name.hasSuffix(".swift") && !name.contains(".docc/") {
                let text = try Project.text("Sources/\(target)/\(name)").replacingOccurrences(of: guarded, with: "")
                let imported = text.split(separator: "\n").filter { $0.contains(#/^\s*(\w+ )?import /#) }
                    .compactMap { $0.split(separator: " ").last.map(String.init) }
                #expect(Set(imported).subtracting(Self.modules).isEmpty, "\(target)/\(name)")
                // Their deployment target is macOS 26.
                #expect(!text.contains(#/\b(InlineArray|OutputSpan|utf8Span)\b/#), "\(target)/\(name)")
                count += 1
            }
        }
        #expect(count > 20)
    }
}
