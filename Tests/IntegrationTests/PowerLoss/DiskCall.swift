import Foundation

/// A system call that changes a file system, or makes earlier changes certain, or tells someone of them; as strace(1) with
/// `-f -y` writes it.
enum DiskCall {
    case makeFolder(String)
    /// Opens a file for writing, which it makes when it is not there.
    case open(String, isEmptied: Bool)
    /// - Parameter offset: `nil`: at the file's end.
    case write(String, offset: Int?, [UInt8])
    case truncate(String, length: Int)
    case renewAge(String)
    case link(from: String, to: String)
    case rename(from: String, to: String)
    case remove(String)
    /// - Parameter isDataOnly: as fdatasync(2), which leaves a file's age.
    case sync(String, isDataOnly: Bool)
    /// Bytes to whatever is not a file.
    case answer([UInt8])

    static let traced =
        "openat,openat2,mkdirat,mkdir,write,pwrite64,pwritev,writev,sendto,ftruncate,fallocate,utimensat,linkat,rename,"
        + "renameat,renameat2,unlink,unlinkat,rmdir,fsync,fdatasync,sync_file_range,copy_file_range,sendfile,splice"
}

/// What a call does that this test does not know: it would judge without it.
struct UnknownCall: Error, CustomStringConvertible {
    let line: String
    var description: String { "no power loss is known for \(line)" }
}

/// Reads a trace line by line.
struct DiskCallReader {
    /// What each thread's descriptors were last said to be: linkat(2) names one by its number alone.
    private var descriptors: [String: String] = [:]
    /// Calls that another thread's line has cut in two.
    private var unfinished: [Substring: Substring] = [:]

    /// The call of a line; `nil` when it failed, or changes nothing.
    mutating func read(_ line: Substring) throws -> DiskCall? {
        guard let space = line.firstIndex(of: " ") else { return nil }
        let thread = line[..<space]
        var text = line[space...].drop { $0 == " " }
        if let cut = text.range(of: " <unfinished ...>") {
            unfinished[thread] = text[..<cut.lowerBound]
            return nil
        }
        if text.hasPrefix("<... "), let rest = text.range(of: " resumed>"), let start = unfinished[thread] {
            unfinished[thread] = nil
            text = start + text[rest.upperBound...]
        }
        // The result is aligned with spaces.
        guard let name = text.firstIndex(of: "(").map({ text[..<$0] }),
            let result = text.range(of: " = ", options: .backwards),
            let end = text[..<result.lowerBound].lastIndex(of: ")")
        else { return nil }
        let arguments = Arguments(text[text.index(after: name.endIndex)..<end])
        for argument in arguments.all {
            if let number = argument.descriptorNumber { descriptors["\(thread) \(number)"] = argument.annotation }
        }
        // One in which its process was killed has none, and was not made.
        let value = Argument(Array(text[result.upperBound...].utf8))
        guard let first = value.text.first, first != "-", first != "?" else { return nil }
        if let number = value.descriptorNumber { descriptors["\(thread) \(number)"] = value.annotation }
        return try call(String(name), arguments, String(thread), String(line))
    }

    private func call(_ name: String, _ arguments: Arguments, _ thread: String, _ line: String) throws -> DiskCall? {
        switch name {
        case "openat", "openat2":
            let path = arguments.path(0)
            let flags = arguments[2]
            let isWritten = ["O_WRONLY", "O_RDWR", "O_CREAT"].contains { flags.contains($0) }
            return isWritten ? .open(path, isEmptied: flags.contains("O_TRUNC")) : nil
        case "mkdir": return .makeFolder(arguments[0].string)
        case "mkdirat": return .makeFolder(arguments.path(0))
        case "write", "sendto":
            let bytes = arguments[1].bytes
            return arguments[0].isFile ? .write(arguments[0].annotation, offset: nil, bytes) : .answer(bytes)
        case "writev":
            let bytes = arguments[1].vectors
            return arguments[0].isFile ? .write(arguments[0].annotation, offset: nil, bytes) : .answer(bytes)
        case "pwrite64":
            return .write(arguments[0].annotation, offset: Int(arguments[3].text), arguments[1].bytes)
        case "pwritev":
            return .write(arguments[0].annotation, offset: Int(arguments[3].text), arguments[1].vectors)
        case "ftruncate": return .truncate(arguments[0].annotation, length: Int(arguments[1].text) ?? 0)
        // Takes room only.
        case "fallocate": return nil
        case "utimensat": return .renewAge(arguments[1].text == "NULL" ? arguments[0].annotation : arguments.path(0))
        case "linkat":
            let from = arguments[1].string
            let number = from.hasPrefix("/proc/self/fd/") ? from.split(separator: "/").last : nil
            guard let number else { return .link(from: arguments.path(0), to: arguments.path(2)) }
            guard let file = descriptors["\(thread) \(number)"] else { throw UnknownCall(line: line) }
            return .link(from: file, to: arguments.path(2))
        case "rename": return .rename(from: arguments[0].string, to: arguments[1].string)
        case "renameat": return .rename(from: arguments.path(0), to: arguments.path(2))
        case "unlink", "rmdir": return .remove(arguments[0].string)
        case "unlinkat": return .remove(arguments.path(0))
        case "fsync": return .sync(arguments[0].annotation, isDataOnly: false)
        case "fdatasync": return .sync(arguments[0].annotation, isDataOnly: true)
        default: throw UnknownCall(line: line)
        }
    }
}

/// The arguments of a call as strace(1) writes them.
private struct Arguments {
    let all: [Argument]

    /// Cut at the commas that are in no string, structure or array.
    init(_ text: Substring) {
        var all: [Argument] = []
        var depth = 0
        var isQuoted = false
        var isEscaped = false
        var current: [UInt8] = []
        for byte in text.utf8 {
            if isEscaped {
                isEscaped = false
            } else if isQuoted {
                isEscaped = byte == UInt8(ascii: "\\")
                isQuoted = byte != UInt8(ascii: "\"")
            } else {
                switch byte {
                case UInt8(ascii: "\""): isQuoted = true
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                case UInt8(ascii: ",") where depth == 0:
                    all.append(Argument(current))
                    current = []
                    continue
                default: break
                }
            }
            current.append(byte)
        }
        self.all = all + [Argument(current)]
    }

    subscript(index: Int) -> Argument { index < all.count ? all[index] : Argument([]) }

    /// The path of a folder's descriptor and a name in it.
    func path(_ index: Int) -> String {
        let name = self[index + 1].string
        return name.hasPrefix("/") ? name : "\(self[index].annotation)/\(name)"
    }
}

private struct Argument {
    let text: String

    init(_ bytes: [UInt8]) {
        text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespaces)
    }

    func contains(_ part: String) -> Bool { text.contains(part) }

    /// 7 of `7</a/b>`.
    var descriptorNumber: Int? {
        text.firstIndex(of: "<").flatMap { Int(text[..<$0]) }
    }

    /// `/a/b` of `7</a/b>` or `AT_FDCWD</a/b>`, and `/a/b(deleted)` of `7</a/b>(deleted)`.
    var annotation: String {
        guard let start = text.firstIndex(of: "<"), let end = text.lastIndex(of: ">"), start < end else { return "" }
        return String(text[text.index(after: start)..<end] + text[text.index(after: end)...])
    }

    var isFile: Bool { annotation.hasPrefix("/") && !annotation.hasPrefix("/dev/") && !annotation.hasPrefix("/memfd:") }

    var string: String { String(decoding: bytes, as: UTF8.self) }

    /// The bytes of a string in quotes, with C's escapes.
    var bytes: [UInt8] { Self.unquote(Array(text.utf8)[...]) }

    /// Those of all parts of an array of `struct iovec`.
    var vectors: [UInt8] {
        text.components(separatedBy: "iov_base=").dropFirst().flatMap { part -> [UInt8] in
            let length = part.components(separatedBy: "iov_len=").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
            return Array(Self.unquote(Array(part.utf8)[...]).prefix(length))
        }
    }

    private static func unquote(_ text: ArraySlice<UInt8>) -> [UInt8] {
        guard text.first == UInt8(ascii: "\"") else { return [] }
        var bytes: [UInt8] = []
        var rest = text.dropFirst()
        let named: [UInt8: UInt8] = [
            UInt8(ascii: "n"): 10, UInt8(ascii: "t"): 9, UInt8(ascii: "r"): 13, UInt8(ascii: "v"): 11,
            UInt8(ascii: "f"): 12,
        ]
        while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
            guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            let octal = UInt8(ascii: "0")...UInt8(ascii: "7")
            guard octal.contains(escaped) else {
                bytes.append(named[escaped] ?? escaped)
                continue
            }
            var value = Int(escaped - octal.lowerBound)
            for _ in 0..<2 {
                guard let digit = rest.first, octal.contains(digit) else { break }
                value = value * 8 + Int(digit - octal.lowerBound)
                rest.removeFirst()
            }
            bytes.append(UInt8(truncatingIfNeeded: value))
        }
        return bytes
    }
}
