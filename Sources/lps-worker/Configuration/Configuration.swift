import EnvironmentFile
import FastCGI

/// A worker's configuration, validated.
struct Configuration: Sendable {
    let settings: Settings
    let store: ConfiguredStore
    /// Unknown `LPS_` names in the configuration file.
    let unknown: [String]

    /// Mode, owner and group of a unix socket that the worker makes.
    var access: Listener.Access {
        Listener.Access(
            mode: settings.listenMode.value,
            owner: settings.listenOwner.value,
            group: settings.listenGroup.value
        )
    }

    /// Resolves every setting, and checks that the settings fit together.
    ///
    /// - Parameter settings: the parsed command line.
    /// - Throws: ``ConfigurationError``, `SettingsError`, or `SystemCallError` if a file can't be read.
    init(_ settings: Settings, environment: Environment) throws {
        try settings.config.resolve("LPS_CONFIG", environment)
        let variables = try Environment(environment, file: settings.config.value)
        let all = settings.all
        for (name, setting) in all { try setting.resolve(name, variables) }
        self.settings = settings
        unknown = Self.unknown(variables.namesInFile, known: Set(all.map(\.name)))
        store = try ConfiguredStore(settings, variables)
    }

    /// Opens the sockets to serve: the one of `--listen`, or those that the worker was started with.
    func listeners() throws -> [Listener] {
        let own = try settings.listen.value.map { try Listener(binding: $0, access: access) }
        let listeners = try own.map { [$0] } ?? Listener.inherited()
        guard !listeners.isEmpty else {
            throw ConfigurationError(
                "nothing to listen on: set --listen (LPS_LISTEN), or start the worker with a systemd or spawn-fcgi socket"
            )
        }
        return listeners
    }

    /// The names of the settings that differ and need a restart.
    func fixed(unlike other: Configuration) -> [String] {
        zip(settings.all, other.settings.all)
            .filter { old, new in
                !old.setting.isReloadable && old.setting !== settings.config && !old.setting.hasValue(of: new.setting)
            }
            .map(\.0.name)
            + zip(store.ofAWS, other.store.ofAWS).filter { $0.value != $1.value }.map(\.0.name)
    }

    /// The `LPS_` names that no setting has, probably misspelt ones.
    private static func unknown(_ names: [String], known: Set<String>) -> [String] {
        // The timers of lps gc and lps scrub read their settings from the same file.
        names.filter { name in
            name.hasPrefix("LPS_") && !known.contains(name) && !name.hasPrefix("LPS_GC_")
                && !name.hasPrefix("LPS_SCRUB_")
        }.sorted()
    }
}
