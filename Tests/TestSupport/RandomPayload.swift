import Foundation

/// Unique bytes, from the kernel: a loop that makes them would take seconds in a debug build.
package func randomPayload(_ count: Int) -> [UInt8] {
    // All empty arrays share their storage, and this initializer writes into it: a data race to the thread sanitizer.
    if count == 0 { return [] }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        let source = open("/dev/urandom", O_RDONLY | O_CLOEXEC)
        defer { close(source) }
        while initialized < count {
            let got = read(source, buffer.baseAddress.map { $0 + initialized }, count - initialized)
            precondition(got > 0, "/dev/urandom: errno \(errno)")
            initialized += got
        }
    }
}
