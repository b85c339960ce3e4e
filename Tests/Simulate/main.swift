@preconcurrency import Glibc
import Simulation

// simulate SEED [STEPS]: runs one seed and prints every operation and system call.
// simulate --minutes MINUTES [--first SEED] [--seeds SEEDS] [--steps STEPS]: runs consecutive seeds until one fails,
// all are done, or the time is up.

// A seed must determine the order of sets and dictionaries.
if getenv("SWIFT_DETERMINISTIC_HASHING") == nil {
    setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    execv("/proc/self/exe", &arguments)
}
setvbuf(stdout, nil, _IOLBF, 0)

var options: [String: UInt64] = [:]
var numbers: [UInt64] = []
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    if argument.hasPrefix("--"), let value = arguments.popFirst().flatMap({ UInt64($0) }) {
        options[argument] = value
    } else if let number = UInt64(argument) {
        numbers.append(number)
    } else {
        print(
            "usage: simulate SEED [STEPS], or simulate --minutes MINUTES [--first SEED] [--seeds SEEDS] [--steps STEPS]"
        )
        exit(EX_USAGE)
    }
}

func report(_ failure: Simulation.Failure) -> Never {
    print(failure)
    print("\nshrunk:\n\(Simulation.shrink(failure))")
    exit(EXIT_FAILURE)
}

let steps = Int(options["--steps"] ?? 100)
if let seed = numbers.first {
    do {
        try Simulation.run(seed: seed, steps: numbers.count > 1 ? Int(numbers[1]) : steps, tracesCalls: true)
        print("seed \(seed): all invariants hold")
    } catch let failure as Simulation.Failure {
        report(failure)
    }
    exit(EXIT_SUCCESS)
}

let start = ContinuousClock.now
let limit = Duration.seconds(60 * Double(options["--minutes"] ?? 1))
var seed = options["--first"] ?? 1
var operations = 0
var calls = 0
let last = options["--seeds"].map { seed + $0 }
while ContinuousClock.now - start < limit, last.map({ seed < $0 }) ?? true {
    do {
        let run = try Simulation.run(seed: seed, steps: steps)
        operations += run.operations
        calls += run.calls
    } catch let failure as Simulation.Failure {
        report(failure)
    }
    seed += 1
    if seed % 1000 == 0 { print("seed \(seed): \(operations) operations, \(calls) system calls") }
}
let seeds = seed - (options["--first"] ?? 1)
print("\(operations) operations over \(seeds) seeds, \(calls) system calls: all invariants hold")
