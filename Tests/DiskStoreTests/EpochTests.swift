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

    /// How often this process has a file of the store open. A descriptor's number may be another test's at once.
    private func held(_ file: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter { descriptor in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)"))
                == "\(path)/\(file)"
        }.count
    }

    /// A descriptor of the epoch, as the process that ends here leaves it to the next program.
    private func handOver() throws -> Int32 {
        let store = try open()
        try store.keepCounts(hasQuotas: true)
        let descriptor = try #require(try store.handOverCounts())
        #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC == 0)
        // Of the same open file, as after execve(2).
        let kept = dup(descriptor)
        withExtendedLifetime(store) {}
        return kept
    }

    @Test func `The epoch goes on in the program that takes a process's place, which closes what it was left`() throws {
        let descriptor = try handOver()
        let begun = try #require(epoch)
        let store = try open()
        try store.keepCounts(hasQuotas: false, after: HandedOverEpoch(descriptor))
        #expect(epoch == begun)
        #expect(try held("usage/epoch") == 1)
        try open().keepCounts(hasQuotas: true)
        #expect(epoch == begun)
        withExtendedLifetime(store) {}
    }

    @Test func `A file that is not the epoch's keeps nothing`() throws {
        let descriptor = try handOver()
        let begun = try #require(epoch)
        try FileManager.default.removeItem(atPath: "\(path)/usage")
        let store = try open()
        try store.keepCounts(hasQuotas: true, after: HandedOverEpoch(descriptor))
        #expect(epoch != begun)
        #expect(try held("usage/epoch (deleted)") == 0)
        withExtendedLifetime(store) {}
    }

    @Test func `Who has not joined hands nothing over`() throws {
        #expect(try open().handOverCounts() == nil)
    }

    @Test func `No standard stream, no folder and nothing that is closed is taken for what was handed over`() throws {
        let folder = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(folder) }
        for descriptor in [-1, 0, 1, 2, folder, Int32.max] {
            let taken = HandedOverEpoch(descriptor) != nil
            #expect(!taken)
        }
        #expect(fcntl(folder, F_GETFD) == FD_CLOEXEC)
    }
}
