import Foundation
import PayloadKey
import DiskStore
import Storage
import TestSupport
import Testing

/// The folder of uploads of a store that is in a bucket.
@Suite(.timeLimit(.minutes(5))) struct UploadFolderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(_ path: String) throws -> UploadFolder {
        try UploadFolder(path: path, reserve: 0, setting: "--incoming", logger: RecordedLog().logger)
    }

    @Test func `Only what crashed uploads have left is swept`() throws {
        let day = Date().addingTimeInterval(-25 * 3600)
        for name in ["0000000017", "upload-1-abc", "notes.txt", "layout.jso", "123", "0000000018"] {
            try write([1], to: folder.file(name))
            if name != "0000000018" {
                try FileManager.default.setAttributes([.modificationDate: day], ofItemAtPath: folder.file(name))
            }
        }
        #expect(try open(folder.path).sweep() == 2)
        #expect(Set(files(below: folder.path)) == ["notes.txt", "layout.jso", "123", "0000000018"])
    }

    @Test func `What is taken in has no name that a killed process could leave`() throws {
        let content = Array("hello world".utf8)
        let upload = try open(folder.path).receive(length: 11, digest: Digest(of: content)) { take in
            try content.withUnsafeBytes { try take($0) }
        }
        #expect(files(below: folder.path).isEmpty)
        #expect(upload.size == 11)
    }

    @Test func `A store on disk is none, nor is a folder that is not there`() throws {
        let path = folder.file("store")
        try DiskStore.create(at: path)
        let error = #expect(throws: StoreError.self) { try open(path) }
        #expect(error?.description == "folder of uploads \(path) is a store on disk, expected its folder incoming/")
        #expect(error?.preventsUse == true)
        _ = try open("\(path)/incoming")
        #expect(throws: StoreError.self) { try open(folder.file("none")) }
    }

    @Test func `A folder that was replaced is not healthy: uploads would be looked for in the old one`() throws {
        let path = folder.file("incoming")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let uploads = try open(path)
        try uploads.checkWritable()
        rename(path, folder.file("old"))
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(throws: StoreError.self) { try uploads.checkWritable() }
    }
}
