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

    @Test func `A row shows the activities and the progress of its thread`() throws {
        let scoreboard = try Scoreboard(in: folder.path, threads: 1)
        let row = scoreboard.row(0)
        func expect(_ code: UInt64, since: UInt64, requestSince: UInt64, progress: UInt64, requests: UInt64) throws {
            let state = try #require(scoreboard.processes.first?.threads.first)
            #expect((state.code, state.since, state.requestSince) == (code, since, requestSince))
            #expect((state.progress, state.requests) == (progress, requests))
        }
        row.begin(1, at: 5)
        try expect(1, since: 5, requestSince: 5, progress: 5, requests: 0)
        row.turn(to: 3, at: 6)
        row.touch(at: 7)
        try expect(3, since: 6, requestSince: 5, progress: 7, requests: 0)
        row.end(0, at: 9)
        try expect(0, since: 9, requestSince: 0, progress: 9, requests: 1)
    }

    @Test func `A row shows a request's bytes as they came, shortened if they are too long, until the request ends`()
        throws
    {
        let row = try Scoreboard(in: folder.path, threads: 1).row(0)
        let none = try #require(row.read())
        #expect((none.method, none.path, none.id, none.namespace) == ([], [], [], []))
        #expect(none.digest == nil)
        for count in [0, 1, 7, 8, 9, 15, 16, 64, 200, 201, 10_000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: 255 - $0) }
            row.describe(method: bytes.span, path: bytes.span)
            row.describe(id: bytes.span)
            row.describe(namespace: bytes.span)
            row.describe(digest: [1, 2, 3, .max])
            let state = try #require(row.read())
            #expect(state.method == Array(bytes.prefix(16)))
            #expect(state.path == Array(bytes.prefix(64)))
            #expect(state.id == Array(bytes.prefix(64)))
            #expect(state.namespace == Array(bytes.prefix(200)))
            #expect(state.digest == [1, 2, 3, .max])
            row.end(0, at: 1)
            var ended = none
            (ended.since, ended.progress, ended.requests) = (1, 1, state.requests + 1)
            #expect(row.read() == ended)
        }
    }

    @Test func `A process does not show the requests of the slot's last process`() throws {
        func first() throws {
            let scoreboard = try Scoreboard(in: folder.path, threads: 1)
            scoreboard.row(0).begin(3, at: 4)
            scoreboard.row(0).describe(id: [1, 2].span)
        }
        try first()
        #expect(try run("cp", ["--sparse=always", folder.file("scoreboard-2"), folder.file("copy")]).status == 0)
        #expect(rename(folder.file("copy"), folder.file("scoreboard-2")) == 0)
        let scoreboard = try Scoreboard(in: folder.path, threads: 1)
        let state = try #require(scoreboard.processes.first?.threads.first)
        #expect(scoreboard.deaths == 1)
        #expect((state.code, state.requestSince, state.id) == (0, 0, []))
    }

    @Test func `A row read during a change is never mixed`() async throws {
        let row = try Scoreboard(in: folder.path, threads: 1).row(0)
        row.begin(0, at: 0)
        await withTaskGroup { group in
            group.addTask {
                for number in 1...3_000 {
                    let bytes = Array(repeating: UInt8(truncatingIfNeeded: number), count: number % 70)
                    row.begin(UInt64(number), at: UInt64(number))
                    row.describe(method: bytes.span, path: bytes.span)
                    usleep(10)
                }
            }
            group.addTask {
                var mixtures = 0
                for _ in 0..<5_000 {
                    guard let seen = row.read() else { continue }
                    let hasOneTime = [seen.code, seen.since, seen.requestSince].allSatisfy { $0 == seen.progress }
                    let hasOneText = seen.path.starts(with: seen.method) && Set(seen.path).count <= 1
                    if !hasOneTime || !hasOneText { mixtures += 1 }
                }
                #expect(mixtures == 0)
            }
        }
    }

    @Test func `A file of another kind is refused and unchanged`() throws {
        let path = folder.file("scoreboard-2")
        try Data("something else".utf8).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: ScoreboardError.self) { try Scoreboard(in: folder.path, threads: 1) }
        #expect(error?.description.contains("scoreboard-2") == true)
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
        #expect(error?.description.hasSuffix("/no/scoreboard-2: No such file or directory") == true)
    }

    @Test func `A file left incomplete by its creator is completed`() throws {
        let path = folder.file("scoreboard-2")
        try Data(count: 4096).write(to: URL(fileURLWithPath: path))
        let scoreboard = try Scoreboard(in: folder.path, threads: 1)
        scoreboard.add(to: 1)
        #expect(try Scoreboard(in: folder.path, threads: 1).total(1) == 1)
    }
}
