import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

/// Uploads, received as a file or as a stream.
@Suite(.runLimit) struct UploadTests {
    private let disk: TestStore
    private let content = Array("a payload".utf8)
    private var incoming: [String] { files(below: disk.file("incoming")) }

    init() throws { disk = try TestStore() }

    private func verify(_ path: String, length: UInt64 = 9, digest: Digest? = nil) throws -> VerifiedUpload {
        try disk.store.uploads.verify(
            uploadAt: Array(path.utf8),
            length: length,
            digest: digest ?? Digest(of: content)
        )
    }

    private func expectNotAcceptable(_ path: String) throws {
        let error = try #require(throws: StoreError.self) { try verify(path) }
        #expect(
            error.code == .uploadNotAcceptable && (path.isEmpty || error.action.contains(path)),
            "\(path): \(error)"
        )
    }

    @Test(arguments: [0, 1, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 3_000_000])
    func `An upload of any size is verified, from a file or a stream`(size: Int) throws {
        let content = randomPayload(size)
        let (uploads, length, digest) = (disk.store.uploads, UInt64(size), Digest(of: content))
        #expect(try uploads.verify(uploadAt: disk.upload(content), length: length, digest: digest).size == length)
        #expect(
            try uploads.receive(from: source(content, piece: 1000), length: length, digest: digest).digest == digest
        )
    }

    @Test func `A wrong digest or length is a mismatch and leaves no file`() throws {
        _ = try disk.upload(content, name: "x")
        let (right, wrong) = (Digest(of: content), Digest(of: "other".utf8))
        var cases: [(UInt64, Digest, UploadMismatch)] = [(9, wrong, .digest(announced: wrong, actual: right))]
        for length in [0, 8, 10] as [UInt64] { cases.append((length, right, .length(announced: length, actual: 9))) }
        for (length, digest, mismatch) in cases {
            #expect(throws: mismatch) { try verify(disk.file("incoming/x"), length: length, digest: digest) }
            #expect(throws: mismatch) {
                try disk.store.uploads.receive(from: source(content), length: length, digest: digest)
            }
        }
        #expect(incoming == ["x"])
    }

    @Test func `A body that is longer than announced is not read completely`() throws {
        var given = 0
        #expect(throws: UploadMismatch.self) {
            try disk.store.uploads.receive(
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

    @Test func `A body whose source fails leaves no file`() throws {
        struct Gone: Error {}
        #expect(throws: Gone.self) {
            try disk.store.uploads.receive(from: { _ in throw Gone() }, length: 10, digest: Digest(of: content))
        }
        #expect(incoming.isEmpty)
    }

    @Test func `Only a regular file directly in incoming is accepted as an upload`() throws {
        _ = try disk.upload(content, name: "x")
        try disk.makeFolder(disk.file("incoming/d"))
        for file in ["secret", "incoming/d/x"] { try write(content, to: disk.file(file)) }
        symlink(disk.file("secret"), disk.file("incoming/link"))
        mkfifo(disk.file("incoming/fifo"), 0o600)
        for path in [
            "incoming", "incoming/", "incoming/.", "incoming/..", "incoming/../secret", "incoming/d/x", "incoming//x",
            "secret", "incoming/./x", "incoming/x\0", "incoming/x\0/../../secret", "incomingx", "incoming/link",
            "incoming/fifo", "incoming/d",
        ] {
            try expectNotAcceptable(disk.file(path))
        }
        for path in ["", "/etc/hostname", "incoming/x", "../x"] { try expectNotAcceptable(path) }
        let error = try #require(throws: StoreError.self) { try verify(disk.file("incoming/missing")) }
        #expect(error.code == .uploadGone)
    }

    @Test func `A store that is opened through a link accepts uploads under both paths`() throws {
        let link = disk.folder.file("link")
        symlink(disk.path, link)
        let linked = try TestStore(at: link + "/")
        _ = try disk.upload(content, name: "x")
        for root in [link, disk.path] {
            let path = Array("\(root)/incoming/x".utf8)
            #expect(try linked.store.uploads.verify(uploadAt: path, length: 9, digest: Digest(of: content)).size == 9)
        }
    }

    @Test func `The file that was verified is the one stored, even if its name was reused`() throws {
        _ = try disk.upload(content, name: "x")
        let upload = try verify(disk.file("incoming/x"))
        unlink(disk.file("incoming/x"))
        _ = try disk.upload(Array("different".utf8), name: "x")
        let error = try #require(throws: StoreError.self) { try disk.store.commit(upload, as: payloadKey(content)) }
        #expect(error.code == .uploadGone)
        #expect(try disk.get(content) == nil)
    }

    // MARK: Why the web server could not write an upload

    private func reason(_ path: [UInt8], _ length: UInt64?, _ store: DiskStore? = nil) -> StoreError? {
        do {
            try (store ?? disk.store).uploads.checkRoom(forUnwritten: path, length: length)
            return nil
        } catch {
            let error: any Error = error
            return error as? StoreError
        }
    }

    private var none: [UInt8] { Array(disk.file("incoming/none").utf8) }

    @Test func `A truncated upload failed for lack of space, even if space is free now`() throws {
        let error = try #require(reason(try disk.upload([1, 2, 3]), 10))
        #expect(error.code == .noSpace)
        #expect(error.description == "store had no room for all of an upload: 3 of 10 bytes were written")
        #expect(try reason(disk.upload([]), 10)?.code == .noSpace)
    }

    @Test func `A complete or missing upload did not fail for lack of space while space is free`() throws {
        #expect(try reason(disk.upload([1, 2, 3]), 3) == nil)
        #expect(try reason(disk.upload([1, 2, 3]), nil) == nil, "a chunked upload announces no length")
        #expect(reason(none, 10) == nil)
    }

    @Test func `If only the reserve is free, every upload failed for lack of space`() throws {
        let full = try disk.open(reserve: 1 << 62)
        for path in [try disk.upload([1, 2, 3]), none] { #expect(reason(path, 3, full)?.code == .noSpace) }
        // Only the missing bytes count, not the written ones.
        let free = try disk.store.uploads.space().free
        let nearlyFull = try disk.open(reserve: free / 2)
        #expect(
            try reason(disk.upload([1, 2, 3]), 3 + free, nearlyFull)?.description.contains("would touch") == true
        )
    }

    @Test func `A file elsewhere or a missing folder is not explained by lack of space`() {
        #expect(reason(Array("/var/lib/nginx/body/0000000001".utf8), 10)?.code == .uploadNotAcceptable)
        rmdir(disk.file("incoming"))
        #expect(reason(none, 10)?.code == .system)
        #expect(files(below: disk.path).allSatisfy { !$0.contains("upload-") })
    }
}

/// The folder for uploads to a bucket.
@Suite(.runLimit) struct UploadFolderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(_ path: String) throws -> UploadFolder {
        try UploadFolder(path: path, reserve: 0, setting: "--incoming", logger: RecordedLog().logger)
    }

    @Test func `Only leftovers of crashed uploads are swept`() throws {
        let names = ["0000000017", "upload-1-abc", "notes.txt", "layout.jso", "123", "0000000018"]
        for name in names { try write([1], to: folder.file(name)) }
        let day = [FileAttributeKey.modificationDate: Date().addingTimeInterval(-25 * 3600)]
        for name in names.dropLast() { try FileManager.default.setAttributes(day, ofItemAtPath: folder.file(name)) }
        #expect(try open(folder.path).sweep() == 2)
        #expect(Set(files(below: folder.path)) == ["notes.txt", "layout.jso", "123", "0000000018"])
    }

    @Test func `A received upload has no name that a killed process could leave behind`() throws {
        let content = Array("hello world".utf8)
        let upload = try open(folder.path).receive(from: source(content), length: 11, digest: Digest(of: content))
        #expect(files(below: folder.path).isEmpty)
        #expect(upload.size == 11)
    }

    @Test func `A disk store or a missing folder is refused as a folder for uploads`() throws {
        let path = folder.file("store")
        try DiskStore.create(at: path)
        let error = #expect(throws: StoreError.self) { try open(path) }
        #expect(error?.description == "folder for uploads \(path) is a store on disk, expected its folder incoming/")
        #expect(error?.preventsUse == true)
        _ = try open("\(path)/incoming")
        #expect(throws: StoreError.self) { try open(folder.file("none")) }
    }

    @Test func `A replaced folder fails the health check, because uploads would be read from the old one`() throws {
        let path = folder.file("incoming")
        mkdir(path, 0o750)
        let uploads = try open(path)
        try uploads.checkWritable()
        rename(path, folder.file("old"))
        mkdir(path, 0o750)
        #expect(throws: StoreError.self) { try uploads.checkWritable() }
    }
}
