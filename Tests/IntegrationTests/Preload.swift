import Foundation
import TestSupport

/// Makes programs' transfers short or wrong, by an object that is loaded before the C library (ld.so(8)).
enum Preload {
    /// Compiled once, into the folder of the binaries.
    private static let object = Result {
        let path = Project.binary("transfers.so")
        let new = "\(path).\(getpid())"
        let source = "\(Project.root)/Tests/Preload/transfers.c"
        // Swift includes clang.
        let compiler = "exec $(command -v cc || command -v clang) -shared -fPIC -O1 -Wall -Wextra -Werror"
        let made = try run("/bin/sh", ["-c", "\(compiler) -o \"$1\" \"$2\"", "sh", new, source])
        guard made.status == 0 else { throw NeverHappened(what: "a C compiler: \(made.output)") }
        // Another run of the tests may have the previous file loaded.
        guard rename(new, path) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        return path
    }

    /// The environment for a program with these `settings`, for example `["SHORT": "7"]`.
    ///
    /// - Parameter count: the file that receives the number of changed calls.
    static func environment(_ settings: [String: String], count: String) throws -> [String: String] {
        var environment = ["LD_PRELOAD": try object.get(), "LPS_COUNT": count]
        for (name, value) in settings { environment["LPS_\(name)"] = value }
        return environment
    }

    /// The number of changed calls.
    static func count(_ path: String) -> Int {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }
}
