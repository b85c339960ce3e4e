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

    /// Finds the value of each setting, and checks that they go together.
    ///
    /// - Parameter settings: as the command line has them, and nothing else so far.
    /// - Throws: ``ConfigurationError``, `SettingsError`, or `SystemCallError` when a file can't be read.
    init(_ settings: Settings, environment: Environment) throws {
        try settings.config.resolve("LPS_CONFIG", environment)
        let variables = try Environment(environment, file: settings.config.value)
        let all = settings.all
        for (name, setting) in all { try setting.resolve(name, variables) }
        self.settings = settings
        unknown = Self.unknown(variables.namesInFile, known: Set(all.map(\.name)))
        store = try ConfiguredStore(settings, variables)
    }

    /// The sockets to serve: the worker's own, or those that it was started with.
    func listeners() throws -> [Listener] {
        let own = try settings.listen.value.map { try Listener(binding: $0, access: access) }
        let listeners = try own.map { [$0] } ?? Listener.inherited()
        guard !listeners.isEmpty else {
            throw ConfigurationError(
                "nothing to listen on: give --listen (LPS_LISTEN), or start with a systemd or spawn-fcgi socket"
            )
        }
        return listeners
    }

    /// The names of the settings that differ, and that a worker can't change while it runs.
    func fixed(unlike other: Configuration) -> [String] {
        zip(settings.all, other.settings.all)
            .filter { old, new in
                !old.setting.isReloadable && old.setting !== settings.config && !old.setting.hasValue(of: new.setting)
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
}
