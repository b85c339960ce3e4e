import Foundation
import Scoreboard
import System
import TestSupport
import Testing

/// Each scoreboard has its own open file, like each process: the kernel's locks belong to open files.
@Suite struct ScoreboardTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func `Every process sees the counts of all`() throws {
        let one = try Scoreboard(in: folder.path, threads: 2)
        let other = try Scoreboard(in: folder.path, threads: 3)
        one.add(5, to: 7)
        other.add(to: 7)
        other.add(2, to: 999)
        for scoreboard in [one, other] {
            #expect(scoreboard.total(7) == 6)
            #expect(scoreboard.total(999) == 2)
            #expect(scoreboard.processes.map(\.threads.count) == [2, 3])
            #expect(scoreboard.starts.all == 2)
            #expect(scoreboard.starts.again == 0)
        }
    }

    @Test func `A value is shared by the pool`() throws {
        let one = try Scoreboard(in: folder.path, threads: 0)
        let other = try Scoreboard(in: folder.path, threads: 0)
        one[value: 3] = 42
        #expect(other[value: 3] == 42)
    }

    @Test func `Concurrent counts by many threads are all kept`() async throws {
        let scoreboard = try Scoreboard(in: folder.path, threads: 0)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<10_000 { scoreboard.add(to: 1) } }
            }
        }
        #expect(scoreboard.total(1) == 80_000)
    }

    @Test func `A row shows a thread's request, shortened if it is too long`() throws {
        let scoreboard = try Scoreboard(in: folder.path, threads: 1)
        var state = ThreadRow.State(code: 3, since: 9, requestSince: 8, requests: 7, text: Array("PUT é".utf8))
        scoreboard.row(0).write(state)
        #expect(scoreboard.processes.first?.threads == [state])
        state.text = Array(repeating: 65, count: 10_000)
        scoreboard.row(0).write(state)
        #expect(scoreboard.processes.first?.threads.first?.text.count == ThreadRow.textLimit)
    }

    @Test func `A row read during a change is never mixed`() async throws {
        let scoreboard = try Scoreboard(in: folder.path, threads: 1)
        let row = scoreboard.row(0)
        func state(_ number: UInt64) -> ThreadRow.State {
            let text = Array(repeating: UInt8(truncatingIfNeeded: number % 256), count: Int(number % 400))
            return ThreadRow.State(code: number, since: number, requestSince: number, requests: number, text: text)
        }
        row.write(state(0))
        await withTaskGroup { group in
            group.addTask {
                for number in 1...3_000 {
                    row.write(state(UInt64(number)))
                    usleep(10)
                }
            }
            group.addTask {
                var mixtures = 0
                for _ in 0..<5_000 {
                    if let seen = row.read(), seen != state(seen.code) { mixtures += 1 }
                }
                #expect(mixtures == 0)
            }
        }
    }

    @Test func `A file of another kind is refused and unchanged`() throws {
        let path = folder.file("scoreboard-1")
        try Data("something else".utf8).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: ScoreboardError.self) { try Scoreboard(in: folder.path, threads: 1) }
        #expect(error?.description.contains("scoreboard-1") == true)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "something else")
    }

    @Test func `The error for too many processes names the limit`() throws {
        let all = try (0..<Scoreboard.maximumProcesses).map { _ in try Scoreboard(in: folder.path, threads: 0) }
        let error = #expect(throws: ScoreboardError.self) { try Scoreboard(in: folder.path, threads: 0) }
        #expect(error?.description.contains("64 processes") == true)
        #expect(all.last?.processes.count == Scoreboard.maximumProcesses)
    }

    @Test func `The error for a missing runtime folder names it`() throws {
        let error = #expect(throws: SystemCallError.self) { try Scoreboard(in: folder.file("no"), threads: 0) }
        #expect(error?.description.hasSuffix("/no/scoreboard-1: No such file or directory") == true)
    }

    @Test func `A file left incomplete by its creator is completed`() throws {
        let path = folder.file("scoreboard-1")
        try Data(count: 4096).write(to: URL(fileURLWithPath: path))
        let scoreboard = try Scoreboard(in: folder.path, threads: 1)
        scoreboard.add(to: 1)
        #expect(try Scoreboard(in: folder.path, threads: 1).total(1) == 1)
    }
}
