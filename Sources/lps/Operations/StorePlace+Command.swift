import ArgumentParser
import Glibc
import Logging
import Storage
import StoreFactory

extension StorePlace {
    /// Parses the location of a store.
    ///
    /// - Parameter option: The option or argument that gave `text`, for errors.
    /// - Throws: ``ValidationError`` when a bucket's URL is invalid.
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
    /// - Throws: ``ValidationError`` when the user does not own the store; ``StoreError``.
    func open(_ context: Context) throws -> any PayloadStorage {
        var options = Options()
        options.isForCommand = true
        var logger = context.logger
        switch self {
        case .folder(let path):
            try Self.checkOwner(of: path)
            // A garbage collection keeps one file open for each shard.
            options.otherFiles = 512
        case .bucket:
            // Payloads pass through this folder. A command needs no reserve for uploads of others. /var/tmp has room for
            // large payloads, unlike /tmp, which may be in memory (file-hierarchy(7)).
            options.uploads = (try context.settings()["TMPDIR"] ?? "/var/tmp", setting: "TMPDIR")
            options.reserve = 0
            // Don't log each retried request.
            logger.logLevel = .notice
        }
        return try open(options, logger)
    }

    /// Checks that the user owns the store: nginx could not read, nor workers delete, another user's files, not even root's.
    static func checkOwner(of path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0, status.st_uid != geteuid() else { return }
        let owner = getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "\(status.st_uid)"
        throw ValidationError(
            "store \(path) belongs to \(owner): run this as that user, for example 'sudo -u \(owner) lps …'"
        )
    }
}
