import ArgumentParser
import DiskStore
import Glibc
import Storage

/// `lps init`: makes an empty store.
struct Init: Command {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Makes an empty store, unless it is there already.",
        discussion: """
            All of a store must belong to the user of nginx's worker processes: run this as that user, or as root with --owner. \
            The folder must not exist yet, or be empty; the folder that it is in must exist. Without --mode, an empty folder that \
            exists loses what its mode has over 0750.

            A store that is there already stays as it is. Exit status 1 when it has another owner or mode than asked for, or \
            when something else is in the folder.
            """
    )

    @OptionGroup var store: StoreOption
    @Option(
        "Who owns the store: names or numbers; the group is the user's own by default. (default: who runs this)",
        value: "user[:group]"
    )
    var owner: Owner?
    @Option("The mode of the store's folder, in octal; the owner must have all rights. (default: 0750)", value: "mode")
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
                "\(path) is on a network file system, or another program's (\(name)): what is stored may be lost"
            )
        }
        context.print(isNew ? "made an empty store at \(path)" : "there is a store at \(path)")
    }
}

/// A user, and perhaps a group, as chown(1) takes them.
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

/// A folder's mode that lets its owner read, write and enter it.
struct FolderMode: ExpressibleByArgument {
    let bits: mode_t

    init?(argument: String) {
        guard let bits = mode_t(argument, radix: 8), bits <= 0o777, bits & 0o700 == 0o700 else { return nil }
        self.bits = bits
    }
}
