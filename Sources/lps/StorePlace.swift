import ArgumentParser
import DiskStore
import Glibc
import Logging
import S3
import S3Store
import Storage

/// How a command opens the store at the place that it is given.
enum StorePlace {
    /// - Parameter option: what the place was given as, for errors.
    static func open(_ place: String, _ option: String = Self.option) throws -> any OperatedStore {
        S3Location.isMeant(by: place) ? try openBucket(place, option) : try openFolder(place)
    }

    static let option = "--store (LPS_STORE)"

    static func openFolder(_ path: String) throws -> DiskStore {
        // A collection holds a file open for each shard.
        try DiskStore(
            path: checkOwner(of: path),
            otherFiles: 512,
            patience: DiskStore.commandPatience,
            logger: Logger(label: "lps")
        )
    }

    static func checkOwner(of path: String) throws -> String {
        // A file of another user, also root's, could not be read by nginx, nor be deleted by the workers.
        var status = stat()
        if stat(path, &status) == 0, status.st_uid != geteuid() {
            let owner = getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "\(status.st_uid)"
            throw ValidationError(
                "store \(path) belongs to \(owner): run this as that user, as 'sudo -u \(owner) lps …'"
            )
        }
        return path
    }

    /// - Throws: ``ValidationError``, or ``StoreError`` when the bucket can't be used.
    static func openBucket(_ place: String, _ option: String = Self.option) throws -> S3Store {
        var logger = Logger(label: "lps")
        // Not of each request that is sent again.
        logger.logLevel = .notice
        let settings = try Settings.current()
        let environment: @Sendable (String) -> String? = { settings[$0] }
        let location: S3Location
        do {
            location = try S3Location(parsing: place, environment: environment)
        } catch {
            throw ValidationError("\(option): \(error)")
        }
        let store = S3Store(
            S3Client(location, environment: environment, logger: logger),
            // What is read or sent passes through it; a command has no uploads of others to leave room for.
            // Large payloads have more room in /var/tmp than in memory (file-hierarchy(7)).
            uploads: try UploadFolder(
                path: settings["TMPDIR"] ?? "/var/tmp",
                reserve: 0,
                setting: "TMPDIR",
                logger: logger
            ),
            logger: logger
        )
        try store.checkBucket()
        return store
    }
}
