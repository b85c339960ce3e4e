import Glibc

/// The parameters of a request, in one buffer.
public struct Parameters {
    /// The positions of a name and its value in the buffer.
    private struct Entry {
        let name: Range<Int>
        let value: Range<Int>
    }

    private var bytes: [UInt8] = []
    private var entries: [Entry] = []

    /// Makes an empty list.
    init() {}

    /// Copies libfcgi's list of `NAME=value` texts, each up to its NUL byte.
    init(copying list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) {
        var (count, size) = (0, 0)
        while let text = list[count] {
            count += 1
            size += strlen(text)
        }
        entries.reserveCapacity(count)
        bytes.reserveCapacity(size)
        for index in 0..<count {
            guard let text = list[index], let sign = strchr(text, Int32(UInt8(ascii: "="))) else { continue }
            let start = bytes.count
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: text, count: strlen(text)))
            let end = start + (sign - text)
            entries.append(Entry(name: start..<end, value: end + 1..<bytes.count))
        }
    }

    /// A parameter's value: a slice of the buffer that holds all of them. `nil` if the web server did not pass it; the first
    /// value if it passed several.
    public subscript(name: StaticString) -> ArraySlice<UInt8>? {
        entries.first { bytes[$0.name].equals(name) }.map { bytes[$0.value] }
    }
}

extension ArraySlice<UInt8> {
    fileprivate func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return withUnsafeBytes { bytes in bytes.baseAddress.map { memcmp($0, text.utf8Start, count) == 0 } ?? true }
    }
}
