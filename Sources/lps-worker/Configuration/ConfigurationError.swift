import Glibc
import System
import SystemPackage

/// A setting that makes no sense: which, its value, and what is expected.
struct ConfigurationError: Error, CustomStringConvertible {
    let description: String
    /// Whether the next start may succeed with the same configuration: the system lacked something, or the disk has failed
    /// for once.
    let mayPass: Bool

    /// - Parameter errno: the failure of the system call, where one failed.
    init(_ description: String, errno: Errno? = nil) {
        self.description = description
        mayPass = errno?.mayPass ?? false
    }

    /// Does what the configuration asks for; whatever fails is an error of the configuration.
    static func wrapping<Value>(_ work: () throws -> Value) throws -> Value {
        do {
            return try work()
        } catch {
            throw ConfigurationError("\(error)", errno: (error as? SystemCallError)?.errno)
        }
    }

    /// The failure of a system call just now: reads `errno`.
    static func system(_ action: String) -> ConfigurationError {
        let error = Errno(rawValue: errno)
        return ConfigurationError("\(action): \(error)", errno: error)
    }
}
