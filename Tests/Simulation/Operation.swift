import PayloadKey
import Storage

/// One step of a simulation.
enum Operation {
    case put(key: Int)
    case get(key: Int)
    case remove(key: Int)
    case moveToTrash(key: Int)
    case undelete(key: Int)
    case collect(KeySelection, age: Int, keepTrash: Int?, digestsInMemory: Int)
    case sweep(digestsInMemory: Int)
    case scrub
    case repair
    case export
    case recount(namespace: Int)
    case checkUsage(namespace: Int)
    case setQuota(namespace: Int, UInt64?)
    case start

    // Events of the machine, which no actor performs.
    case flipByte(content: Int)
    case changeSize(content: Int)
    case loseName(content: Int)
    case passTime(seconds: Int)
    case setClock(error: Int)
    case killAll
    case losePower

    /// Whether it runs alone, because its result must be exact.
    var isQuiet: Bool { if case .checkUsage = self { true } else { false } }

    /// The key that the operation may store; `nil` if it stores none.
    var keyToStore: Int? {
        switch self {
        case .put(let key), .undelete(let key): key
        default: nil
        }
    }

    static func random(_ random: inout SplitMix64, _ universe: Universe, _ options: Options) -> Operation {
        let key = random.below(universe.keys.count)
        let content = random.below(universe.contents.count)
        let namespace = random.below(universe.namespaces.count)
        let memory = random.pick([1, 3, 1000])
        switch random.below(100) {
        case 0..<38: return .put(key: key)
        case 38..<44: return .get(key: key)
        case 44..<50: return .remove(key: key)
        case 50..<54: return .moveToTrash(key: key)
        case 54..<59: return .undelete(key: key)
        case 59..<68:
            let age = random.pick([0, 3600, 10 * day, 45 * day])
            let keepTrash = random.pick([nil, nil, 0, day, 30 * day])
            return .collect(
                selection(&random, universe),
                age: age,
                keepTrash: keepTrash,
                digestsInMemory: memory
            )
        case 68..<73: return .sweep(digestsInMemory: memory)
        case 73..<78: return .scrub
        case 78..<80: return .repair
        case 80..<81: return .export
        case 81..<82: return .recount(namespace: namespace)
        case 82..<83: return .checkUsage(namespace: namespace)
        case 83..<85: return .setQuota(namespace: namespace, random.pick([nil, 100, 400, 5000]))
        case 85..<87: return .start
        case 87..<90: return options.damages ? .flipByte(content: content) : .put(key: key)
        case 90..<91: return options.damages ? .changeSize(content: content) : .put(key: key)
        case 91..<92: return options.damages ? .loseName(content: content) : .put(key: key)
        case 92..<96: return .passTime(seconds: random.pick([60, 3600, day, 5 * day, 30 * day]))
        case 96..<98: return options.jumps ? .setClock(error: random.pick([0, 0, 60 * day, -60 * day, 7200])) : .start
        case 98..<99: return options.kills ? .killAll : .put(key: key)
        default: return options.losesPower ? .losePower : .get(key: key)
        }
    }

    private static let day = 24 * 60 * 60

    private static func selection(_ random: inout SplitMix64, _ universe: Universe) -> KeySelection {
        KeySelection(
            namespace: random.chance(1, of: 3) ? random.pick(universe.namespaces) : nil,
            prefix: random.chance(1, of: 2) ? random.pick(universe.prefixes) : nil
        )
    }
}

/// The faults that a simulation injects.
struct Options {
    let actors: Int
    let damages: Bool
    let jumps: Bool
    let kills: Bool
    let losesPower: Bool
    /// One in this many system calls fails; zero means none.
    let faultRate: Int

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed &* 3)
        actors = 1 + random.below(4)
        damages = random.chance(1, of: 2)
        jumps = random.chance(1, of: 3)
        kills = random.chance(1, of: 2)
        losesPower = random.chance(1, of: 2)
        faultRate = random.pick([0, 0, 0, 500, 3000])
    }
}

extension Operation: CustomStringConvertible {
    var description: String {
        let universe = Simulation.universe
        func name(_ key: Int) -> String {
            let key = universe.keys[key]
            let content = universe.content(of: key.digest) ?? -1
            return "content \(content) as \(key.namespace)/\(key.prefix?.description ?? "(no prefix)")"
        }
        switch self {
        case .put(let key): return "put \(name(key))"
        case .get(let key): return "get \(name(key))"
        case .remove(let key): return "rm \(name(key))"
        case .moveToTrash(let key): return "move to trash \(name(key))"
        case .undelete(let key): return "undelete \(name(key))"
        case .collect(let selection, let age, let keepTrash, let memory):
            return "gc of \(selection.namespace?.description ?? "all namespaces"), prefix "
                + "\(selection.prefix?.description ?? "any"), older than \(age) s, keep trash "
                + "\(keepTrash.map { "\($0) s" } ?? "not"), \(memory) digests in memory"
        case .sweep(let memory): return "sweep, \(memory) digests in memory"
        case .scrub: return "scrub"
        case .repair: return "repair"
        case .export: return "export"
        case .checkUsage(let namespace): return "check the usage of \(universe.namespaces[namespace])"
        case .recount(let namespace): return "recount \(universe.namespaces[namespace])"
        case .setQuota(let namespace, let quota):
            return "set quota of \(universe.namespaces[namespace]) to \(quota.map { "\($0)" } ?? "none")"
        case .start: return "start a worker"
        case .flipByte(let content): return "flip a byte of content \(content)"
        case .changeSize(let content): return "change the size of content \(content)"
        case .loseName(let content): return "lose the object of content \(content)"
        case .passTime(let seconds): return "\(seconds) s pass"
        case .setClock(let error): return "the clock is off by \(error) s"
        case .killAll: return "kill all processes"
        case .losePower: return "lose power"
        }
    }
}
