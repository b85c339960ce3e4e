import Glibc

@testable import Storage

/// Tests upload paths from the web server: only a regular file directly in `incoming/`, with exactly the given name, is
/// opened.
func fuzzUpload(_ text: [UInt8]) {
    let store = UploadStore.shared
    let incoming = Array("\(store.path)/incoming/".utf8)
    for path in [text, incoming + text, Array("\(store.path)/".utf8) + text, Array("\(store.folder)/".utf8) + text] {
        do {
            let upload = try store.store.uploads.open(uploadAt: path)
            guard path.starts(with: incoming),
                let name = UploadStore.files.first(where: { path.dropFirst(incoming.count).elementsEqual($0.utf8) })
            else { preconditionFailure("an unacceptable path was opened") }
            var content: [UInt8] = []
            guard (try? upload.read(0..<upload.size) { content += $0 }) != nil, content.elementsEqual(name.utf8) else {
                preconditionFailure("another file was opened")
            }
        } catch {
            let code = (error as? StoreError)?.code
            precondition(code == .uploadNotAcceptable || code == .uploadGone)
        }
    }
}

private enum UploadStore {
    /// The files in `incoming/`. Each contains its own name.
    static let files = ["0000000001", "a name", "\u{FC}", ".hidden", "secret"]

    /// A store whose `incoming/` contains files that may be opened, and others that may not.
    static let shared: FuzzStore = {
        let store = FuzzStore("upload")
        let incoming = "\(store.path)/incoming"
        for name in files { store.write(name, to: "store/incoming/\(name)") }
        store.write("a secret", to: "secret")
        store.write("a payload", to: "store/objects/secret")
        let made = [
            mkdir("\(incoming)/folder", 0o700), mkfifo("\(incoming)/fifo", 0o600),
            symlink("\(store.folder)/secret", "\(incoming)/link"), symlink("0000000001", "\(incoming)/near"),
            symlink(".", "\(incoming)/here"), symlink("..", "\(incoming)/up"), symlink("/dev/zero", "\(incoming)/zero"),
            symlink(incoming, "\(store.folder)/incoming"),
        ]
        precondition(made.allSatisfy { $0 == 0 })
        store.write("a file", to: "store/incoming/folder/file")
        return store
    }()
}
