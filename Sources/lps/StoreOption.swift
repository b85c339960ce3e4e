import ArgumentParser
import Glibc
import Logging
import PayloadKey
import PayloadStore

/// Where the store is: `--store`, or `LPS_STORE`, as for `lps-worker`.
struct StoreOption: ParsableArguments {
    @Option(help: ArgumentHelp("The store's folder. (default: LPS_STORE)", valueName: "path"), completion: .directory)
    var store: String?

    /// The folder that is named, whatever is there.
    ///
    /// - Throws: a ``ValidationError`` when none is.
    func folder() throws -> String {
        guard let path = store ?? getenv("LPS_STORE").map({ String(cString: $0) }), !path.isEmpty else {
            throw ValidationError("--store (LPS_STORE) is required")
        }
        return path
    }

    /// The store's folder.
    ///
    /// - Throws: a ``ValidationError`` when no store is named or the user is not its owner.
    func path() throws -> String {
        let path = try folder()
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

    /// Opens the store.
    ///
    /// - Throws: as ``path()``, and ``StoreError``.
    func open() throws -> PayloadStore {
        try PayloadStore(path: path(), logger: Logger(label: "lps"))
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
