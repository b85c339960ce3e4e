import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import System

/// How often uploads look at the free space.
@Suite(.runLimit) struct SpaceLookTests {
    private static let reserve: UInt64 = 1 << 30

    private let kernel = TestKernel()
    private let uploads: UploadFolder

    init() throws {
        kernel.space = Self.space(spare: 1 << 40)
        uploads = try TestStore(reserve: Self.reserve, kernel: kernel).store.uploads
        // The next check looks.
        kernel.pass(2)
    }

    private static func space(spare: UInt64, inodes: UInt64? = nil) -> FileSystemSpace {
        FileSystemSpace(total: 1 << 50, free: reserve + spare, freeInodes: inodes)
    }

    /// The looks of so many uploads of a size.
    private func looks(_ count: Int, size: UInt64 = 1000) throws -> Int {
        let before = kernel.spaceLooks
        for _ in 0..<count { try uploads.checkSpace(for: 0, written: size) }
        return kernel.spaceLooks - before
    }

    @Test func `A look at a disk with plenty of space is good for a second`() throws {
        #expect(try looks(100) == 1)
        kernel.pass(2)
        #expect(try looks(100) == 1)
    }

    @Test func `A look is good for 64 MiB and 1000 uploads, then a full disk is noticed`() throws {
        #expect(try looks(1 + 64, size: 1 << 20) == 1)
        #expect(try looks(1, size: 1 << 20) == 1)
        #expect(try looks(1000) == 0)
        kernel.space = Self.space(spare: 0)
        #expect(throws: StoreError.self) { try uploads.checkSpace(for: 0, written: 1000) }
        #expect(throws: StoreError.self) { try uploads.checkSpace(for: 0, written: 0) }
    }

    @Test func `Each large upload looks`() throws {
        #expect(try looks(3, size: 65 << 20) == 3)
    }

    @Test func `A received upload of over 64 MiB looks again once it is written`() throws {
        let piece = [UInt8](repeating: 0, count: 1 << 20)
        try uploads.checkSpace(for: 65 << 20)
        var pieces = 65
        #expect(throws: StoreError.self) {
            try uploads.receive(length: 65 << 20, digest: Digest(of: Array(repeating: piece, count: 65).joined())) {
                take in
                while pieces > 0 {
                    pieces -= 1
                    try piece.withUnsafeBytes(take)
                }
                kernel.space = Self.space(spare: 0)
            }
        }
    }

    @Test(arguments: [((1 << 30) - 1, nil), (1 << 40, 99_999)] as [(UInt64, UInt64?)])
    func `With less than a gibibyte above the reserve, or with few inodes, each upload looks`(
        spare: UInt64,
        inodes: UInt64?
    ) throws {
        kernel.space = Self.space(spare: spare, inodes: inodes)
        #expect(try looks(10) == 10)
    }
}
