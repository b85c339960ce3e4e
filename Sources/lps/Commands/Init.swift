import ArgumentParser
import DiskStore
import Glibc
import Storage

/// `lps init`: creates an empty store.
struct Init: Command {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Create an empty store, unless one exists.",
        discussion: """
            The store must belong to the user of nginx's worker processes: run this command as that user, or as root with \
            --owner. The folder must be missing or empty, and its parent folder must exist. Without --mode, an existing empty \
            folder loses permissions beyond 0750.

            An existing store is not changed. Exit status 1 if its owner or mode differs from the requested one, or if the \
            folder has other files.
            """
    )

    @OptionGroup var store: StoreOption
    @Option(
        "Owner of the store: names or numbers. Without a group, the user's own. (default: the current user)",
        value: "user[:group]"
    )
    var owner: Owner?
    @Option("Mode of the store's folder, in octal. The owner must have all permissions. (default: 0750)", value: "mode")
    var mode: FolderMode?

    func run(_ context: Context) throws {
        let path = try store.folder(context)
        let isNew: Bool
        do {
            isNew = try DiskStore.create(at: path, owner: owner?.owner, mode: mode?.bits)
        } catch let error as StoreError where error.code == .unsupportedFileSystem {
            throw context.unusable("\(error)")
        }
        if let name = DiskStore.remoteFileSystem(at: path) {
            context.complain(
                "\(path) is on a network file system, or another program's (\(name)): stored payloads may be lost"
            )
        }
        context.print(isNew ? "created an empty store at \(path)" : "a store already exists at \(path)")
    }
}

/// A user and optionally a group, in the form of chown(1).
struct Owner: ExpressibleByArgument {
    let owner: DiskStore.Owner

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let entry = uid_t(parts[0]).map { getpwuid($0) } ?? getpwnam(parts[0])
        guard let user = uid_t(parts[0]) ?? entry?.pointee.pw_uid else { return nil }
        let group = parts.count == 1 ? entry?.pointee.pw_gid : gid_t(parts[1]) ?? getgrnam(parts[1])?.pointee.gr_gid
        guard let group else { return nil }
        owner = (user, group)
    }
}

/// A folder's mode, in which the owner has all permissions.
struct FolderMode: ExpressibleByArgument {
    let bits: mode_t

    init?(argument: String) {
        guard let bits = mode_t(argument, radix: 8), bits <= 0o777, bits & 0o700 == 0o700 else { return nil }
        self.bits = bits
    }
}
