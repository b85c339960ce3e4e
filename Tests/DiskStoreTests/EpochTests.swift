import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

/// How long counts are known: from process to process.
@Suite(.timeLimit(.minutes(5))) struct EpochTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("store")
        try DiskStore.create(at: path)
    }

    /// The store as a process has it that begins now.
    private func open() throws -> DiskStore {
        try DiskStore(path: path, reserve: 0, logger: RecordedLog().logger)
    }

    private var epoch: String? { try? String(contentsOfFile: "\(path)/usage/epoch", encoding: .utf8) }

    @Test func `A process joins the epoch at its start where there is one, or it has quotas`() throws {
        let without = try open()
        try without.keepCounts(hasQuotas: false)
        #expect(epoch == nil)
        let first = try open()
        try first.keepCounts(hasQuotas: true)
        let begun = try #require(epoch)
        try without.keepCounts(hasQuotas: false)
        try open().keepCounts(hasQuotas: true)
        #expect(epoch == begun)
        withExtendedLifetime((without, first)) {}
    }
}
