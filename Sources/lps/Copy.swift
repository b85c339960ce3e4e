import ArgumentParser
import PayloadKey
import Storage
import Synchronization

/// `lps copy`: copies payloads from one store to another.
struct Copy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy",
        abstract: "Copies payloads from one store to another, of either kind.",
        discussion: """
            Each payload is verified on its way, and committed like an upload; its age counts from now. What the other store has \
            already is left as it is, so that a copy that was interrupted goes on where it was, and one that is run again takes \
            what is new.

            Workers may go on storing in the first store: copy, let the workers use the second store, and copy once more.

            What is damaged, or can't be read, is told and left out, with exit status 1.
            """
    )

    @Argument(
        help: ArgumentHelp("The store to read: a folder, or s3://BUCKET...", valueName: "from"),
        completion: .directory
    )
    var source: String
    @Argument(help: ArgumentHelp("The store to write.", valueName: "to"), completion: .directory)
    var destination: String
    @OptionGroup var selection: SelectionOptions
    @Option(help: ArgumentHelp("How many payloads to copy at once.", valueName: "n"))
    var parallel = 8
    @Flag(help: "One line of JSON.")
    var json = false

    func validate() throws {
        guard (1...256).contains(parallel) else {
            throw ValidationError("--parallel is \(parallel), expected a number from 1 to 256")
        }
    }

    func run() throws {
        let selection = try selection.selection()
        let transfer = Transfer(
            from: try StorePlace.open(source, "from"),
            to: try StorePlace.open(destination, "to"),
            progress: Progress.onTerminal("copy")
        )
        try transfer.run(selection, threads: parallel)
        let result = transfer.result
        if json {
            try Output.json(result)
        } else {
            print(
                "copied \(result.copied) payloads, \(Output.size(result.bytes)); \(result.present) were there already"
            )
        }
        if result.failed > 0 { throw ExitCode.failure }
    }
}

/// Payloads on their way from one store to another.
final class Transfer: Sendable {
    /// What has become of them.
    struct Result: Encodable, Equatable {
        /// Payloads that were copied.
        var copied = 0
        /// Their bytes.
        var bytes: UInt64 = 0
        /// Payloads that were there already.
        var present = 0
        /// Payloads that could not be copied.
        var failed = 0
    }

    /// Keys that are held in memory at a time.
    private static let batch = 1024

    private let source: any OperatedStore
    private let destination: any OperatedStore
    private let state: Mutex<State>

    private struct State {
        var result = Result()
        let progress: Progress?
    }

    init(from source: any OperatedStore, to destination: any OperatedStore, progress: sending Progress?) {
        self.source = source
        self.destination = destination
        state = Mutex(State(progress: progress))
    }

    var result: Result { state.withLock { $0.result } }

    /// - Throws: what keeps all payloads from being copied.
    func run(_ selection: KeySelection, threads: Int) throws {
        defer { state.withLock { $0.progress?.wipe() } }
        try countForProgress(selection)
        var keys: [StoredKey] = []
        func copyThem() throws {
            try sideBySide(keys, threads: threads) { try self.copy($0) }
            keys.removeAll(keepingCapacity: true)
        }
        try source.forEachKey(in: selection, unreadable: { self.fail("\($0) is not copied: \($1)") }) { stored in
            keys.append(stored)
            if keys.count == Self.batch { try copyThem() }
        }
        try copyThem()
    }

    private func countForProgress(_ selection: KeySelection) throws {
        guard state.withLock({ $0.progress != nil }) else { return }
        state.withLock { $0.progress?.begin("counting payloads") }
        var bytes: UInt64 = 0
        try source.forEachKey(in: selection, unreadable: { _, _ in }) { bytes += $0.size ?? 0 }
        state.withLock { [bytes] in $0.progress?.begin(.bytes, total: bytes) }
    }

    private func copy(_ stored: StoredKey) throws {
        do {
            guard let size = stored.size else { return fail("\(stored.key) is not copied: its content is lost") }
            guard try destination.find(stored.key)?.size != size else {
                return finish(stored) { $0.present += 1 }
            }
            guard let payload = try source.open(stored.key) else {
                // Deleted since it was listed.
                return finish(stored) { _ in }
            }
            try destination.uploads.checkSpace(for: payload.size)
            let upload = try destination.uploads.receive(length: payload.size, digest: stored.key.digest) { take in
                try payload.read(0..<payload.size, take)
            }
            _ = try destination.store(upload, as: stored.key)
            finish(stored) {
                $0.copied += 1
                $0.bytes += payload.size
            }
        } catch {
            if let error = error as? StoreError, error.concernsWholeStore {
                // When the engine is well, it is this object that it does not give.
                guard error.code == .unavailable else { throw error }
                try source.checkHealth()
                try destination.checkHealth()
            }
            fail("\(stored.key) is not copied: \(error)")
        }
    }

    private func fail(_ message: String) {
        state.withLock { state in
            state.progress?.wipe()
            complain(message)
            state.result.failed += 1
        }
    }

    private func finish(_ stored: StoredKey, _ count: (inout Result) -> Void) {
        state.withLock { state in
            count(&state.result)
            state.progress?.advance(by: Int(stored.size ?? 0))
        }
    }
}
