import Glibc
import Synchronization

/// Words of memory that several processes use concurrently.
///
/// Access to each word is atomic. The order of accesses to different words is not guaranteed.
struct Words: @unchecked Sendable {
    // Sendable: the memory stays mapped until the process ends, and every access to it is atomic.
    private let start: UnsafeMutablePointer<Atomic<UInt64>>
    let count: Int

    /// - Parameter start: memory that stays mapped until the process ends.
    init(_ start: UnsafeMutableRawPointer, count: Int) {
        self.start = start.bindMemory(to: Atomic<UInt64>.self, capacity: count)
        self.count = count
    }

    func part(_ range: Range<Int>) -> Words {
        precondition(range.upperBound <= count, "a part lies within the whole")
        return Words(UnsafeMutableRawPointer(start + range.lowerBound), count: range.count)
    }

    subscript(index: Int) -> UInt64 {
        get { start[checked(index)].load(ordering: .relaxed) }
        nonmutating set { start[checked(index)].store(newValue, ordering: .relaxed) }
    }

    func add(_ value: UInt64, to index: Int) {
        start[checked(index)].wrappingAdd(value, ordering: .relaxed)
    }

    /// Unmaps the memory; nothing may use it afterwards.
    func unmap() { munmap(start, count * MemoryLayout<UInt64>.size) }

    private func checked(_ index: Int) -> Int {
        precondition(index < count, "a word lies within the memory")
        return index
    }
}
