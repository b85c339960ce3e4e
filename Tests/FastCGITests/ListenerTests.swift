import Foundation
import System
import TestSupport
import Testing

@testable import FastCGI

@Suite struct ListenerTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("lps.sock")
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func `A unix socket has the requested mode, and is removed with its listener`() throws {
        do {
            let listener = try Listener(binding: .unix(path: path), access: .init(mode: 0o640))
            #expect(mode(path) == 0o640)
            withExtendedLifetime(listener) {}
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func `A path with a leading @ is a file's, except for systemd's notifications`() throws {
        func firstByte(_ address: UnixAddress?) throws -> UInt8 {
            try #require(address).withPointer { pointer, _ in
                UnsafeRawPointer(pointer).load(fromByteOffset: MemoryLayout<sa_family_t>.size, as: UInt8.self)
            }
        }
        #expect(try firstByte(UnixAddress("@lps")) == UInt8(ascii: "@"))
        #expect(try firstByte(UnixAddress("@lps", canBeAbstract: true)) == 0)
    }

    @Test func `A socket left behind by a dead process is replaced`() throws {
        close(try listenUnix(path))
        let listener = try Listener(binding: .unix(path: path))
        close(try connectUnix(path))
        withExtendedLifetime(listener) {}
    }

    @Test func `A socket that another process serves is refused`() throws {
        let first = try Listener(binding: .unix(path: path))
        #expect(throws: FastCGIError.self) { try Listener(binding: .unix(path: path)) }
        close(try connectUnix(path))
        withExtendedLifetime(first) {}
    }

    @Test func `The queue length of a unix socket counts all pending connections`() throws {
        let listener = try Listener(binding: .unix(path: path))
        #expect(listener.queue()?.waiting == 0)
        let clients = try (0..<3).map { _ in try FastCGIClient(path) }
        #expect(listener.queue()?.waiting == 3)
        #expect(try #require(listener.queue()).limit > 3)
        withExtendedLifetime(clients) {}
    }

    @Test func `The queue length of a TCP socket counts all pending connections`() throws {
        let listener = try Listener(binding: .tcp(host: "127.0.0.1", port: 0))
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let named = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener.descriptor, $0, &size) }
        }
        try #require(named == 0)
        let clients = try (0..<3).map { _ in try FastCGIClient(port: UInt16(bigEndian: address.sin_port)) }
        try eventually("three connections wait") { listener.queue()?.waiting == 3 }
        #expect(try #require(listener.queue()).limit > 3)
        withExtendedLifetime(clients) {}
    }

    @Test func `A file that is not a socket is kept`() throws {
        try write("precious".utf8, to: path)
        let error = #expect(throws: SystemCallError.self) { try Listener(binding: .unix(path: path)) }
        #expect(error?.description == "bind \(path): Address already in use")
        #expect(try contents(of: path) == Array("precious".utf8))
    }

    @Test func `A listener does not remove a socket that replaced its own`() throws {
        do {
            let first = try Listener(binding: .unix(path: path))
            unlink(path)
            close(try listenUnix(path))
            withExtendedLifetime(first) {}
        }
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test func `The error for a path that is too long names its length and the limit`() throws {
        let long = folder.file(String(repeating: "x", count: 120))
        let error = try #require(throws: FastCGIError.self) { try Listener(binding: .unix(path: long)) }
        #expect(error.description.contains("has \(long.utf8.count) bytes, the limit is 107"))
    }
}
