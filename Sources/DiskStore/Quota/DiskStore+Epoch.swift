import Glibc
import Storage
import System

/// What was counted is known as long as a process is there that has joined the epoch (``UsageEpoch``). Whoever changes a
/// key that is counted joins it; who is there for long does so from its start on, so that the others may come and go.
extension DiskStore {
    /// Joins the epoch, for this object's life, where there is one.
    ///
    /// - Parameters:
    ///   - hasQuotas: begin one where there is none.
    ///   - predecessor: what the program has left that this process ran before; closed in here.
    /// - Throws: ``StoreError``. The next upload to a namespace that is counted tries again.
    public func keepCounts(
        hasQuotas: Bool,
        after predecessor: consuming HandedOverEpoch? = nil
    ) throws(StoreError) {
        if hasQuotas {
            try makeUsageFolders()
        } else if try root.status(of: StoreLayout.usageEpoch) == nil {
            return
        }
        // The predecessor's lock keeps others, and this process, from beginning an epoch, until it has its own. If that
        // file is not the epoch's, the lock keeps nothing, and nothing is trusted that should not be.
        _ = try epoch.name()
        _ = consume predecessor
    }

    /// Leaves the epoch to the program that takes this one's place (execve(2)), where this process has joined one.
    ///
    /// - Returns: the number of a descriptor, for ``HandedOverEpoch``.
    public func handOverCounts() throws(StoreError) -> Int32? {
        try epoch.handOver()
    }

    func makeUsageFolders() throws(StoreError) {
        for folder in StoreLayout.usageFolders { try root.makeFolder(folder) }
    }
}

/// The file of ``DiskStore/handOverCounts()``, which holds the epoch until it is closed, at the end of its life.
public struct HandedOverEpoch: ~Copyable, Sendable {
    private let file: Descriptor

    /// Takes a descriptor that this process has from its predecessor, to close it; before anything else is opened, so that
    /// a wrong number can't be that of something else of this process.
    ///
    /// - Returns: `nil` when it can't be what was handed over: a standard stream, or no open file.
    public init?(_ descriptor: Int32) {
        let kernel = LinuxKernel.shared
        guard descriptor > STDERR_FILENO, (try? kernel.status(of: descriptor))?.isRegular == true else { return nil }
        file = Descriptor(descriptor, kernel)
    }
}
