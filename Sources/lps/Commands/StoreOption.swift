import ArgumentParser
import Storage
import StoreFactory

/// Where the store is: `--store`, or `LPS_STORE`, as for `lps-worker`.
struct StoreOption: ParsableArguments {
    @Option(
        "The store's folder, or s3://BUCKET[/PREFIX]?endpoint=...&region=... (default: LPS_STORE)",
        value: "place",
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
