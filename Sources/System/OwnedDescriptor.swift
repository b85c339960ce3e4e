import Glibc

/// An open file, or a socket, that is closed when nobody uses it any more.
package final class OwnedDescriptor: Sendable {
    package let number: Int32

    /// - Throws: ``SystemCallError`` when `open` returns a number below zero.
    package init(_ action: @autoclosure () -> String, _ open: () -> Int32) throws {
        number = try systemCall(action(), open)
    }

    /// Takes over a descriptor that is open.
    package init(taking number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }
}
