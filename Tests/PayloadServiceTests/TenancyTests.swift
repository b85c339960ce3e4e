import PayloadKey
import Testing

@testable import PayloadService

@Suite struct TenancyTests {
    private func allows(_ list: String?, _ namespace: String) throws -> Bool {
        let tenancy = Tenancy(list.map { Array($0.utf8) })
        do {
            try tenancy.check(Namespace(validating: namespace.utf8))
            return true
        } catch is Refusal {
            return false
        }
    }

    @Test func `Without a list, or with a star, every namespace is allowed`() throws {
        #expect(try allows(nil, "a"))
        #expect(try allows("*", "a"))
    }

    @Test func `A list allows its names, and no others`() throws {
        #expect(try allows("a,b", "a"))
        #expect(try allows(" a , b ", "b"))
        #expect(try !allows("a,b", "c"))
        #expect(try !allows("ab", "a"))
        #expect(try !allows("a,*", "c"))
    }

    @Test func `An empty list allows nothing`() throws {
        #expect(try !allows("", "a"))
        #expect(try !allows(",", "a"))
    }

    @Test func `Names are compared as bytes`() throws {
        #expect(try !allows("\u{E9}", "e\u{301}"))
    }
}
