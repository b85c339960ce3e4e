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

    /// Stores bytes from an index on, eight in a word.
    func store(_ bytes: Span<UInt8>, at index: Int) {
        let whole = bytes.count / 8
        for word in 0..<whole {
            let eight = bytes.bytes.unsafeLoadUnaligned(fromByteOffset: word * 8, as: UInt64.self)
            self[index + word] = UInt64(littleEndian: eight)
        }
        guard bytes.count > whole * 8 else { return }
        self[index + whole] = (whole * 8..<bytes.count).reversed().reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
    }

    /// The bytes that ``store(_:at:)`` put into words.
    static func bytes(_ words: ArraySlice<UInt64>, count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: words[words.startIndex + $0 / 8] >> UInt64($0 % 8 * 8)) }
    }

    /// Unmaps the memory; nothing may use it afterwards.
    func unmap() { munmap(start, count * MemoryLayout<UInt64>.size) }

    private func checked(_ index: Int) -> Int {
        precondition(index < count, "a word lies within the memory")
        return index
    }
}
