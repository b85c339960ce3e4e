import ArgumentParser
import Storage
import StoreFactory

/// The store: `--store` or `LPS_STORE`, as for `lps-worker`.
struct StoreOption: ParsableArguments {
    @Option(
        "Store: a folder, or s3://BUCKET[/PREFIX]?endpoint=...&region=... (default: LPS_STORE)",
        value: "place",
        completion: .directory
    )
    var store: String?

    /// The store's location, which may not exist.
    ///
    /// - Throws: ``ValidationError`` when no store is configured, or a bucket's URL is invalid.
    func place(_ context: Context) throws -> StorePlace {
        try StorePlace(text(context), option: "--store (LPS_STORE)", context)
    }

    private func text(_ context: Context) throws -> String {
        guard let text = try store ?? context.settings()["LPS_STORE"], !text.isEmpty else {
            throw ValidationError("--store (LPS_STORE) is required")
        }
        return text
    }

    /// The store's folder, which may not exist.
    ///
    /// - Throws: As ``place(_:)``; ``ValidationError`` for a bucket.
    func folder(_ context: Context) throws -> String {
        guard case .folder(let path) = try place(context) else {
            throw ValidationError("store \(try text(context)) is a bucket: this command needs a store on a disk")
        }
        return path
    }

    /// Opens the store.
    ///
    /// - Throws: As ``place(_:)``; ``ValidationError`` when the user does not own the store; ``StoreError``.
    func open(_ context: Context) throws -> any PayloadStorage { try place(context).open(context) }

    /// Opens a store on disk, for a command that a bucket does not support.
    ///
    /// - Throws: As ``folder(_:)`` and ``open(_:)``.
    func openFolder<Capable>(_ context: Context, as capable: Capable.Type) throws -> Capable {
        let path = try folder(context)
        guard let store = try StorePlace.folder(path).open(context) as? Capable else {
            throw ValidationError("store \(path) does not support this command")
        }
        return store
    }
}
