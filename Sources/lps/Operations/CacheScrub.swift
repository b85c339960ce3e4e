import FoundationEssentials
import Glibc
import PayloadKey
import SystemPackage

/// Verifies nginx's cache of payloads and removes damaged entries.
struct CacheScrub {
    /// Entries that hold payloads.
    private(set) var entries = 0
    /// Bytes read, including nginx's headers.
    private(set) var bytes: UInt64 = 0
    /// Entries that were damaged or unreadable.
    private(set) var found = 0
    private var limit: RateLimit
    private let context: Context

    /// - Parameter context: Receives damaged entries as results, and failures as complaints.
    init(limit: RateLimit, _ context: Context) {
        self.limit = limit
        self.context = context
    }

    /// Scrubs the entries in a folder and in the levels below it.
    mutating func folder(_ path: String) throws {
        let names = try CommandError.naming("read folder \(path)") {
            try FileManager.default.contentsOfDirectory(atPath: path)
        }
        for name in names.sorted() {
            let inner = "\(path)/\(name)"
            if NginxCacheEntry.isName(name) {
                do {
                    try InputFile.reading(inner, options: .noFollow) { try entry(inner, $0) }
                } catch let error as CommandError {
                    // nginx removed the entry meanwhile.
                    guard error.cause as? Errno != .noSuchFileOrDirectory else { continue }
                    context.complain("\(error)")
                    found += 1
                }
            } else if name.utf8.count <= 2 {
                // A level (proxy_cache_path levels=). Other names are not nginx's.
                try folder(inner)
            }
        }
    }

    private mutating func entry(_ path: String, _ file: InputFile) throws {
        var head: [UInt8] = []
        var start: NginxCacheEntry?
        var isEntry = true
        var hasher = DigestHasher()
        try file.forEachPiece { piece in
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
        // The file is not a cached payload.
        guard let start else { return }
        entries += 1
        let actual = hasher.finalize()
        guard actual != start.digest else { return }
        let damage = "damaged: \(path) has digest \(actual), not \(start.digest)"
        let error = unlink(path) == 0 ? nil : Errno(rawValue: errno)
        if let error, error != .noSuchFileOrDirectory {
            throw CommandError("\(damage), and can't be removed: \(error)")
        }
        found += 1
        context.print("\(damage); removed")
    }
}
