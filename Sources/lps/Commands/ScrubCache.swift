import ArgumentParser
import FoundationEssentials
import Glibc
import PayloadKey
import SystemPackage

/// `lps scrub-cache`: reads nginx's cache of a bucket's payloads, and removes what is damaged.
struct ScrubCache: Command {
    static let configuration = CommandConfiguration(
        commandName: "scrub-cache",
        abstract: "Reads the payloads in nginx's cache, and removes those that are damaged.",
        discussion: """
            nginx does not look whether what it has cached is still what it was. Here the content of each entry is compared with \
            the digest that it is kept under; nginx fetches what was removed anew.

            Safe while nginx runs. Run it as nginx's user. Exit status 1 when something was found, also when it is removed.
            """
    )

    @Argument(help: ArgumentHelp("The folder of proxy_cache_path.", valueName: "folder"), completion: .directory)
    var folder: String
    @Option(help: ArgumentHelp("The most bytes to read in a second: 100m. (default: no limit)", valueName: "size"))
    var rate: ByteCount?

    func run(_ context: Context) throws {
        var scrub = CacheScrub(limit: RateLimit(bytesPerSecond: rate?.bytes), context: context)
        try scrub.folder(folder)
        context.print(
            "read \(scrub.entries) entries, \(Output.size(scrub.bytes)): \(scrub.found) damaged or not readable"
        )
        if scrub.found > 0 { throw ExitCode.failure }
    }
}

private struct CacheScrub {
    var limit: RateLimit
    var entries = 0
    var bytes: UInt64 = 0
    var found = 0
    let context: Context

    init(limit: RateLimit, context: Context) {
        self.limit = limit
        self.context = context
    }

    mutating func folder(_ path: String) throws {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw FileError("read folder \(path)", error)
        }
        for name in names.sorted() {
            let inner = "\(path)/\(name)"
            if NginxCacheEntry.isName(name) {
                do {
                    try entry(inner)
                } catch let error as FileError {
                    context.complain("\(error)")
                    found += 1
                }
            } else if name.utf8.count <= 2 {
                // A level (proxy_cache_path levels=); other names are none of nginx's entries.
                try folder(inner)
            }
        }
    }

    private mutating func entry(_ path: String) throws {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(path, .readOnly, options: [.noFollow])
        } catch Errno.noSuchFileOrDirectory {
            // nginx has removed it.
            return
        } catch {
            throw FileError("open \(path)", error)
        }
        // Nothing was written to it.
        defer { _ = try? file.close() }
        var head: [UInt8] = []
        var start: NginxCacheEntry?
        var isEntry = true
        var hasher = DigestHasher()
        try InputFile(name: path, descriptor: file).forEachPiece { piece in
            limit.pass(piece.count)
            bytes += UInt64(piece.count)
            guard isEntry, start == nil else { return hasher.update(piece) }
            head += piece
            if let found = NginxCacheEntry(head: head) {
                start = found
                head[found.bodyStart...].withUnsafeBytes { hasher.update($0) }
            } else {
                isEntry = head.count < NginxCacheEntry.longestHead
            }
        }
        // Of another cache.
        guard let start else { return }
        entries += 1
        let actual = hasher.finalize()
        guard actual != start.digest else { return }
        found += 1
        do {
            try remove(path)
        } catch {
            throw FileError("damaged: \(path) has digest \(actual), not \(start.digest), and can't be removed", error)
        }
        context.print("damaged: \(path) has digest \(actual), not \(start.digest); removed")
    }

    private func remove(_ path: String) throws {
        guard unlink(path) != 0 else { return }
        let error = Errno(rawValue: errno)
        if error != .noSuchFileOrDirectory { throw error }
    }
}
