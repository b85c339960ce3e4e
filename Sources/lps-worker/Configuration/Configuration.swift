import EnvironmentFile
import FastCGI

/// What a worker is told to do, validated.
struct Configuration: Sendable {
    let settings: Settings
    let store: ConfiguredStore
    /// Names in the configuration file that mean nothing.
    let unknown: [String]

    /// The rights of a unix socket that the worker makes.
    var access: Listener.Access {
        Listener.Access(
            mode: settings.listenMode.value,
            owner: settings.listenOwner.value,
            group: settings.listenGroup.value
        )
    }

    /// The most files that its threads have open at once: a request has at most 16, with the folders that it makes.
    var mostOpenFiles: Int { settings.threads.value * 16 + 64 }

    /// Finds the value of each setting, and checks that they go together.
    ///
    /// - Parameter settings: as the command line has them, and nothing else so far.
    /// - Throws: ``ConfigurationError``
    init(_ settings: Settings, environment: Environment) throws {
        try settings.config.resolve("LPS_CONFIG") { environment[$0] }
        let file = try settings.config.value.flatMap(Self.file)
        let lookUp = { @Sendable (name: String) in file?[name] ?? environment[name] }
        let all = settings.all
        for (name, setting) in all { try setting.resolve(name, lookUp) }
        self.settings = settings
        unknown = Self.unknown(file?.names ?? [], known: Set(all.map(\.name)))
        guard let place = settings.store.value else { throw ConfigurationError("--store (LPS_STORE) is required") }
        store = try ConfiguredStore(
            place,
            incoming: settings.incoming.value,
            cache: settings.cache.value,
            environment: lookUp
        )
        try store.check(settings)
    }

    /// The names of the settings that differ, and that a worker can't change while it runs.
    func fixed(unlike other: Configuration) -> [String] {
        zip(settings.all, other.settings.all)
            .filter { old, new in
                old.setting.change == .needsRestart && old.setting !== settings.config
                    && !old.setting.hasValue(of: new.setting)
            }
            .map(\.0.name)
            + zip(store.ofAWS, other.store.ofAWS).filter { $0.value != $1.value }.map(\.0.name)
    }

    /// Most likely they are misspelt.
    private static func unknown(_ names: [String], known: Set<String>) -> [String] {
        // The timers of lps gc and lps scrub have theirs in the same file.
        names.filter { name in
            name.hasPrefix("LPS_") && !known.contains(name) && !name.hasPrefix("LPS_GC_")
                && !name.hasPrefix("LPS_SCRUB_")
        }.sorted()
    }

    private static func file(_ path: String) throws -> EnvironmentFile? {
        do {
            return try EnvironmentFile(named: path)
        } catch {
            throw ConfigurationError(error)
        }
    }
}
