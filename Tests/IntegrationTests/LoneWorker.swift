import Foundation
import TestSupport
import Testing

/// A worker without a web server, on a socket that it binds itself.
struct LoneWorker {
    let process: ChildProcess
    let socket: String

    /// Starts the worker and waits until it serves.
    ///
    /// - Parameters:
    ///   - folder: holds the socket, the log, and the store unless `options` name another.
    ///   - name: the base name of the socket and the log.
    ///   - errorLog: the error log that `options` name, if any.
    init(
        _ folder: TemporaryFolder,
        name: String = "lps",
        program: String = Project.binary("lps-worker"),
        _ options: [String] = [],
        environment: [String: String] = [:],
        errorLog: String? = nil
    ) throws {
        let store = folder.file("store")
        if !FileManager.default.fileExists(atPath: store) {
            #expect(try run(Project.binary("lps"), ["init", "--store", store]).status == 0)
        }
        let socket = folder.file("\(name).sock")
        self.socket = socket
        let process = try ChildProcess(
            program,
            options,
            environment: ["LPS_STORE": store, "LPS_LISTEN": socket].merging(environment) { $1 },
            log: folder.file("\(name)-\(UUID().uuidString).log")
        )
        self.process = process
        if let errorLog {
            try eventually("the worker serves: \(process.log)") {
                (try? String(contentsOfFile: errorLog, encoding: .utf8))?.contains("msg=serving") == true
            }
        } else {
            try process.waitUntilServing()
        }
    }

    var log: String { process.log }

    func count(_ text: String) -> Int { process.count(text) }

    /// Sends a request without a body and returns the answer.
    func ask(_ method: String, _ path: String, _ parameters: [String: String] = [:]) throws -> String {
        try Self.ask(socket, method, path, parameters)
    }

    static func ask(_ socket: String, _ method: String, _ path: String, _ parameters: [String: String] = [:]) throws
        -> String
    {
        try FastCGIClient(socket).ask(method, path, parameters)
    }

    func expectServing(_ comment: Comment? = nil) throws {
        #expect(try ask("GET", "/lps/ping").contains("pong"), comment)
        #expect(process.isRunning, comment)
    }

    func stop() { process.stop() }
}

extension ChildProcess {
    /// Ends a program that exits with status 0 on SIGTERM.
    func stop() {
        signal(SIGTERM)
        #expect(wait() == 0)
    }
}
