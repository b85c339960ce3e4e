import Glibc
import Synchronization

/// Words of memory that several processes change at once.
///
/// Each is read and written in one piece; nothing else is promised between two of them.
struct Words: @unchecked Sendable {
    // Sendable: the memory stays mapped as long as the process lives, and every access to it is atomic.
    private let start: UnsafeMutablePointer<Atomic<UInt64>>
    let count: Int

    /// - Parameter start: memory that stays mapped for the life of the process.
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

    /// Gives the memory back; none of it may be used any more.
    func unmap() { munmap(start, count * MemoryLayout<UInt64>.size) }

    private func checked(_ index: Int) -> Int {
        precondition(index < count, "a word lies within the memory")
        return index
    }
}
