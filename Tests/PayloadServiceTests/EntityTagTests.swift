import Testing

@testable import PayloadService

@Suite struct EntityTagTests {
    @Test(
        arguments: [
            ("\"x\"", true), ("*", true), ("\"y\", \"x\"", true), ("\"y\"", false), ("x", false), ("", false),
            ("\"x\" , \"y\"", true), ("\"y\"\t,\t\"x\"\t", true), (" \"x\" ", true), (" , ", false),
            ("\"x\" \"y\"", false),
        ]
    )
    func `A field names a tag in a list, or by a star`(field: String, matches: Bool) {
        #expect(EntityTag.list(Array(field.utf8), names: "\"x\"", weakly: true) == matches)
        #expect(EntityTag.list(Array(field.utf8), names: "\"x\"", weakly: false) == matches)
    }

    @Test func `A weak tag matches in If-None-Match only`() {
        #expect(EntityTag.list(Array("W/\"x\"".utf8), names: "\"x\"", weakly: true))
        #expect(!EntityTag.list(Array("W/\"x\"".utf8), names: "\"x\"", weakly: false))
    }
}
