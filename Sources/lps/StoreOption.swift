import ArgumentParser
import DiskStore
import Logging
import PayloadKey
import S3
import S3Store
import Storage

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

    /// The place that is named, whatever is there.
    ///
    /// - Throws: a ``ValidationError`` when none is.
    func place() throws -> String {
        guard let place = try store ?? Settings.current()["LPS_STORE"], !place.isEmpty else {
            throw ValidationError("--store (LPS_STORE) is required")
        }
        return place
    }

    /// The folder that is named, whatever is there.
    ///
    /// - Throws: a ``ValidationError`` when none is.
    func folder() throws -> String {
        let place = try place()
        guard !S3Location.isMeant(by: place) else {
            throw ValidationError("store \(place) is a bucket: this command is for a store on a disk")
        }
        return place
    }

    /// The store's folder.
    ///
    /// - Throws: a ``ValidationError`` when no store is named or the user is not its owner.
    func path() throws -> String { try StorePlace.checkOwner(of: folder()) }

    /// Opens a store on a disk.
    ///
    /// - Throws: as ``path()``, and ``StoreError``.
    func open() throws -> DiskStore { try StorePlace.openFolder(folder()) }

    /// Opens a store, on a disk or in a bucket.
    ///
    /// - Throws: as ``path()``, and ``StoreError``.
    func openAny() throws -> any OperatedStore { try StorePlace.open(place()) }

    /// Opens a store when it is in a bucket; `nil` when it is on a disk.
    func openBucket() throws -> S3Store? {
        let place = try place()
        return S3Location.isMeant(by: place) ? try StorePlace.openBucket(place) : nil
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
