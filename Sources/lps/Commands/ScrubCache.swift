import ArgumentParser

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
    @Option("The most bytes to read in a second: 100m. (default: no limit)", value: "size")
    var rate: ByteCount?

    func run(_ context: Context) throws {
        var scrub = CacheScrub(limit: RateLimit(bytesPerSecond: rate?.bytes), context)
        try scrub.folder(folder)
        context.print(
            "read \(scrub.entries) entries, \(Output.size(scrub.bytes)): \(scrub.found) damaged or not readable"
        )
        if scrub.found > 0 { throw ExitCode.failure }
    }
}
