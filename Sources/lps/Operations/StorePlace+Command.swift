import ArgumentParser
import Glibc
import Logging
import Storage
import StoreFactory

extension StorePlace {
    /// - Parameter option: what the place was given as, for errors.
    init(_ text: String, option: String, _ context: Context) throws {
        let settings = try context.settings()
        do {
            try self.init(parsing: text) { settings[$0] }
        } catch {
            throw ValidationError("\(option): \(error)")
        }
    }

    /// Opens the store for a command.
    ///
    /// - Throws: ``ValidationError`` when the user is not its owner, ``StoreError``.
    func open(_ context: Context) throws -> any PayloadStorage {
        var options = Options()
        options.isForCommand = true
        var logger = context.logger
        switch self {
        case .folder(let path):
            try Self.checkOwner(of: path)
            // A collection holds a file open for each shard.
            options.otherFiles = 512
        case .bucket:
            // What is read or sent passes through it; a command has no uploads of others to leave room for. Large payloads
            // have more room in /var/tmp than in memory (file-hierarchy(7)).
            options.uploads = (try context.settings()["TMPDIR"] ?? "/var/tmp", setting: "TMPDIR")
            options.reserve = 0
            // Not of each request that is sent again.
            logger.logLevel = .notice
        }
        return try open(options, logger)
    }

    /// A file of another user, also root's, could not be read by nginx, nor be deleted by the workers.
    static func checkOwner(of path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0, status.st_uid != geteuid() else { return }
        let owner = getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "\(status.st_uid)"
        throw ValidationError("store \(path) belongs to \(owner): run this as that user, as 'sudo -u \(owner) lps …'")
    }
}
