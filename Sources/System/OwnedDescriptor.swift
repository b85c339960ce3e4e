import Glibc

/// An open file or socket, closed with the last reference.
package final class OwnedDescriptor: Sendable {
    package let number: Int32

    /// - Throws: ``SystemCallError`` if `open` returns a number below zero.
    package init(_ action: @autoclosure () -> String, _ open: () -> Int32) throws {
        number = try systemCall(action(), open)
    }

    /// Takes ownership of an open descriptor.
    package init(taking number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }
}
