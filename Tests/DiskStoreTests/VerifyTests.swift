import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct VerifyTests {
    private let fixture: StoreFixture
    private let content = Array("a payload".utf8)

    init() throws {
        fixture = try StoreFixture()
    }

    private func verify(_ path: String, length: UInt64? = nil) throws -> VerifiedUpload {
        try fixture.store.uploads.verify(
            uploadAt: Array(path.utf8),
            length: length ?? UInt64(content.count),
            digest: Digest(of: content)
        )
    }

    private func expectNotAcceptable(_ path: String) throws {
        let error = try #require(throws: StoreError.self) { try verify(path) }
        #expect(error.code == .uploadNotAcceptable)
    }

    @Test(arguments: [0, 1, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 3_000_000])
    func `An upload of any size is verified, handed over as a file or as a stream`(size: Int) throws {
        let content = randomPayload(size)
        let digest = Digest(of: content)
        #expect(try fixture.verified(content).size == UInt64(size))
        #expect(
            try fixture.store.uploads.receive(from: source(content, piece: 1000), length: UInt64(size), digest: digest)
                .digest
                == digest
        )
    }

    @Test func `A wrong digest is a mismatch, and leaves nothing`() throws {
        let path = try fixture.upload(content)
        let wrong = Digest(of: "other".utf8)
        let mismatch = UploadMismatch.digest(announced: wrong, actual: Digest(of: content))
        let size = UInt64(content.count)
        #expect(throws: mismatch) { try fixture.store.uploads.verify(uploadAt: path, length: size, digest: wrong) }
        #expect(throws: mismatch) {
            try fixture.store.uploads.receive(from: source(content), length: size, digest: wrong)
        }
        #expect(
            files(below: fixture.file("incoming")) == [
                (String(decoding: path, as: UTF8.self) as NSString).lastPathComponent
            ]
        )
    }

    @Test func `A wrong length is a mismatch, and leaves nothing`() throws {
        let path = try fixture.upload(content)
        for length in [0, 8, 10] as [UInt64] {
            #expect(throws: UploadMismatch.length(announced: length, actual: 9)) {
                try verify(String(decoding: path, as: UTF8.self), length: length)
            }
            #expect(throws: UploadMismatch.length(announced: length, actual: 9)) {
                try fixture.store.uploads.receive(from: source(content), length: length, digest: Digest(of: content))
            }
        }
        #expect(files(below: fixture.file("incoming")).count == 1)
    }

    @Test func `A body that is longer than announced is not read to its end`() throws {
        var given = 0
        #expect(throws: UploadMismatch.self) {
            try fixture.store.uploads.receive(
                from: { buffer in
                    given += buffer.count
                    return buffer.count
                },
                length: 10,
                digest: Digest(of: content)
            )
        }
        #expect(given <= FileContent.pieceSize)
    }

    @Test func `A body whose source fails leaves nothing`() throws {
        struct Gone: Error {}
        #expect(throws: Gone.self) {
            try fixture.store.uploads.receive(from: { _ in throw Gone() }, length: 10, digest: Digest(of: content))
        }
        #expect(files(below: fixture.file("incoming")).isEmpty)
    }

    @Test(arguments: ["", "/etc/hostname", "incoming/x", "../x"])
    func `A path outside incoming is not acceptable`(path: String) throws {
        try expectNotAcceptable(path)
    }

    @Test func `No path leaves incoming`() throws {
        _ = try fixture.upload(content, name: "x")
        try write(content, to: fixture.file("secret"))
        try FileManager.default.createDirectory(atPath: fixture.file("incoming/d"), withIntermediateDirectories: false)
        try write(content, to: fixture.file("incoming/d/x"))
        for path in [
            "incoming", "incoming/", "incoming/.", "incoming/..", "incoming/../secret", "incoming/d/x", "incoming//x",
            "secret", "incoming/./x", "incoming/x\0", "incoming/x\0/../../secret",
        ] {
            try expectNotAcceptable(fixture.file(path))
        }
        try expectNotAcceptable(fixture.path + "/incomingx")
    }

    @Test func `A link, a folder, a fifo or nothing is not acceptable`() throws {
        try write(content, to: fixture.file("secret"))
        symlink(fixture.file("secret"), fixture.file("incoming/link"))
        mkfifo(fixture.file("incoming/fifo"), 0o600)
        mkdir(fixture.file("incoming/folder"), 0o700)
        for name in ["link", "fifo", "folder"] {
            try expectNotAcceptable(fixture.file("incoming/\(name)"))
        }
        let error = try #require(throws: StoreError.self) { try verify(fixture.file("incoming/missing")) }
        #expect(error.code == .uploadGone)
    }

    @Test func `A store that is reached over a link takes uploads under both of its names`() throws {
        let link = fixture.folder.file("link")
        symlink(fixture.path, link)
        let store = try DiskStore(path: link + "/", reserve: 0, logger: fixture.log.logger)
        let size = UInt64(content.count)
        let digest = Digest(of: content)
        for root in [link, fixture.path] {
            try write(content, to: "\(root)/incoming/x")
            #expect(
                try store.uploads.verify(uploadAt: Array("\(root)/incoming/x".utf8), length: size, digest: digest).size
                    == size
            )
        }
    }

    @Test func `What is linked is what was verified, also when the name means another file by then`() throws {
        let path = try fixture.upload(content, name: "x")
        let upload = try fixture.store.uploads.verify(
            uploadAt: path,
            length: UInt64(content.count),
            digest: Digest(of: content)
        )
        unlink(fixture.file("incoming/x"))
        try write(Array("different".utf8), to: fixture.file("incoming/x"))
        let error = try #require(throws: StoreError.self) { try fixture.store.commit(upload, as: fixture.key(content)) }
        #expect(error.code == .uploadGone)
        #expect(try fixture.get(content) == nil)
    }
}
