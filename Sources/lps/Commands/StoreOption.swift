import ArgumentParser
import Glibc
import Logging
import PayloadKey
import Storage
import StoreFactory

/// Where the store is: `--store`, or `LPS_STORE`, as for `lps-worker`.
struct StoreOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store's folder, or s3://BUCKET[/PREFIX]?endpoint=...&region=... (default: LPS_STORE)",
            valueName: "place"
        ),
        completion: .directory
    )
    var store: String?

    /// Where the store is, whatever is there.
    ///
    /// - Throws: a ``ValidationError`` when no place is named, or a bucket's URL is wrong.
    func place(_ context: Context) throws -> StorePlace {
        try StorePlace(text(context), option: "--store (LPS_STORE)", context)
    }

    private func text(_ context: Context) throws -> String {
        guard let text = try store ?? context.settings()["LPS_STORE"], !text.isEmpty else {
            throw ValidationError("--store (LPS_STORE) is required")
        }
        return text
    }

    /// The folder that is named, whatever is there.
    ///
    /// - Throws: a ``ValidationError`` when none is.
    func folder(_ context: Context) throws -> String {
        guard case .folder(let path) = try place(context) else {
            throw ValidationError("store \(try text(context)) is a bucket: this command is for a store on a disk")
        }
        return path
    }

    /// Opens the store.
    ///
    /// - Throws: as ``place(_:)``; ``ValidationError`` when the user is not its owner; ``StoreError``.
    func open(_ context: Context) throws -> any PayloadStorage { try place(context).open(context) }

    /// Opens a store on a disk, for what a bucket can't do.
    ///
    /// - Throws: as ``folder(_:)`` and ``open(_:)``.
    func openFolder<Capable>(_ context: Context, as capable: Capable.Type) throws -> Capable {
        let path = try folder(context)
        guard let store = try StorePlace.folder(path).open(context) as? Capable else {
            throw ValidationError("store \(path) can't do this")
        }
        return store
    }
}

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

/// Which keys: `--namespace` and `--prefix`.
struct SelectionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only the keys of this Temporal namespace.", valueName: "name"))
    var namespace: String?

    @Option(help: ArgumentHelp("Only the keys whose prefix begins with these parts.", valueName: "prefix"))
    var prefix: String?

    func selection() throws -> KeySelection {
        try KeySelection(
            namespace: namespace.map(parseNamespace),
            prefix: prefix.map { try parsePrefix($0.utf8) }
        )
    }
}

func parseNamespace(_ name: String) throws -> Namespace {
    do {
        return try Namespace(validating: name.utf8)
    } catch {
        throw ValidationError("--namespace '\(name)': \(error)")
    }
}

func parsePrefix(_ text: some Collection<UInt8>) throws -> KeyPrefix {
    guard let prefix = KeyPrefix(validating: text) else {
        throw ValidationError("'\(String(decoding: text, as: UTF8.self))' is not a valid prefix")
    }
    return prefix
}

func parseKey(_ text: String) throws -> PayloadKey {
    guard let key = PayloadKey(parsing: text.utf8) else {
        throw ValidationError(
            "'\(text)' is not a key: /blobs/<namespace>/common/sha256:<digest>/sha256:<metadata hash>, "
                + "or custom/<prefix> instead of common"
        )
    }
    return key
}
