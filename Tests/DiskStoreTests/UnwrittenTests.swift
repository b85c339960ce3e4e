import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

/// What a web server that could not write an upload is told.
@Suite(.timeLimit(.minutes(5))) struct UnwrittenTests {
    private let fixture: StoreFixture

    init() throws {
        fixture = try StoreFixture()
    }

    private func answer(_ path: [UInt8], _ length: UInt64?, _ store: DiskStore? = nil) -> StoreError? {
        do {
            try (store ?? fixture.store).uploads.checkRoom(forUnwritten: path, length: length)
            return nil
        } catch {
            return error as? StoreError
        }
    }

    @Test func `An upload that is cut short had no room, also where there is some by now`() throws {
        let error = try #require(answer(try fixture.upload([1, 2, 3]), 10))
        #expect(error.code == .noSpace)
        #expect(error.description == "store had no room for all of an upload: 3 of 10 bytes were written")
        #expect(try answer(fixture.upload([]), 10)?.code == .noSpace)
    }

    @Test func `An upload that is whole, or never began, did not fail for space where there is some`() throws {
        #expect(try answer(fixture.upload([1, 2, 3]), 3) == nil)
        #expect(try answer(fixture.upload([1, 2, 3]), nil) == nil, "a chunked one announces nothing")
        #expect(answer(Array(fixture.file("incoming/none").utf8), 10) == nil)
    }

    @Test func `Within the reserve there is no room, whatever became of the upload`() throws {
        let full = try DiskStore(path: fixture.path, reserve: 1 << 62, logger: fixture.log.logger)
        for path in [try fixture.upload([1, 2, 3]), Array(fixture.file("incoming/none").utf8)] {
            #expect(answer(path, 3, full)?.code == .noSpace)
        }
        // What is missing counts, not what is written already.
        let free = try fixture.store.uploads.space().free
        let nearlyFull = try DiskStore(path: fixture.path, reserve: free / 2, logger: fixture.log.logger)
        #expect(
            try answer(fixture.upload([1, 2, 3]), 3 + free, nearlyFull)?.description.contains("would touch") == true
        )
    }

    @Test func `A file elsewhere is not the store's to explain`() {
        #expect(answer(Array("/var/lib/nginx/body/0000000001".utf8), 10)?.code == .uploadNotAcceptable)
    }

    @Test func `A folder that can't be written is another failure`() throws {
        rmdir(fixture.file("incoming"))
        let error = answer(Array(fixture.file("incoming/none").utf8), 10)
        #expect(error?.code == .system)
        #expect(files(below: fixture.path).allSatisfy { !$0.contains("upload-") })
    }
}
