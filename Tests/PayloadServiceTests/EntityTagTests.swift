import Testing

@testable import PayloadService

@Suite struct EntityTagTests {
    @Test(arguments: [
        ("\"x\"", true), ("*", true), ("W/\"x\"", true), ("\"y\", \"x\"", true), ("\"y\"", false), ("x", false),
        ("", false),
    ])
    func `If-None-Match names a tag weakly, in a list, or by a star`(field: String, matches: Bool) {
        #expect(EntityTag.matches(Array(field.utf8), "\"x\"") == matches)
    }
}
