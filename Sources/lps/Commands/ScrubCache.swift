import ArgumentParser

/// `lps scrub-cache`: verifies nginx's cache of a bucket's payloads, and removes damaged entries.
struct ScrubCache: Command {
    static let configuration = CommandConfiguration(
        commandName: "scrub-cache",
        abstract: "Verify the payloads in nginx's cache, and remove damaged ones.",
        discussion: """
            nginx does not verify its cache. This command compares each entry's content with the digest in its cache key; nginx \
            fetches removed entries again.

            Safe while nginx runs. Run it as nginx's user. Exit status 1 if anything was found, even if it was removed.
            """
    )

    @Argument(help: ArgumentHelp("The folder of proxy_cache_path.", valueName: "folder"), completion: .directory)
    var folder: String
    @Option("Limit reads to SIZE per second: 100m. (default: no limit)", value: "size")
    var rate: ByteCount?

    func run(_ context: Context) throws {
        var scrub = CacheScrub(limit: RateLimit(bytesPerSecond: rate?.bytes), context)
        try scrub.folder(folder)
        context.print(
            "read \(scrub.entries) entries, \(Output.size(scrub.bytes)): \(scrub.found) damaged or unreadable"
        )
        if scrub.found > 0 { throw ExitCode.failure }
    }
}
