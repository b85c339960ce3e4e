import Encoding
import Glibc
import System
import SystemPackage

/// The files that the AWS tools share: credentials (`~/.aws/credentials`) and configuration (`~/.aws/config`), each with
/// profiles.
struct SharedFiles: Sendable {
    /// Bytes that a file may have.
    private static let limit = 1 << 20

    /// The profile's name.
    let profileName: String
    /// Whether the environment names the profile.
    private let isNamed: Bool
    private let credentials: File?
    private let configuration: File?

    private struct File: Sendable {
        let path: String
        /// Whether the environment names the file.
        let isNamed: Bool
    }

    init(_ variables: Variables) {
        profileName = variables["AWS_PROFILE"] ?? variables["AWS_DEFAULT_PROFILE"] ?? "default"
        isNamed = profileName != "default"
        let home = variables["HOME"]
        func file(_ variable: String, _ name: String) -> File? {
            if let path = variables[variable] {
                let isBelowHome = path.utf8.starts(with: "~/".utf8)
                return File(path: isBelowHome ? (home ?? "~") + path.dropFirst() : path, isNamed: true)
            }
            return home.map { File(path: "\($0)/.aws/\(name)", isNamed: false) }
        }
        credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        configuration = file("AWS_CONFIG_FILE", "config")
    }

    /// Where a profile was looked for.
    var description: String {
        let paths = [credentials, configuration].compactMap { $0 }.map { file in
            isForbidden(file.path) ? "\(file.path) (no permission)" : file.path
        }
        return paths.isEmpty ? "no file (HOME is not set)" : paths.joined(separator: " and ")
    }

    /// What changes when a file does, or who may read it.
    var stamp: [FileStamp?] { [credentials, configuration].map { $0.flatMap { FileStamp($0.path) } } }

    /// The profile; `nil` when no file has it, and the environment does not name it.
    func profile() throws(CredentialsError) -> Profile? {
        var parts: [(path: String, settings: [String: [UInt8]])] = []
        if let credentials, let sections = try sections(of: credentials),
            let settings = sections[Array(profileName.utf8)]
        {
            parts.append((credentials.path, settings))
        }
        let configured = try configuration.flatMap { file throws(CredentialsError) in try sections(of: file) } ?? [:]
        if let configuration, let settings = profile(in: configured) { parts.append((configuration.path, settings)) }
        guard !parts.isEmpty else {
            guard !isNamed else {
                throw CredentialsError(
                    "profile '\(printable(profileName.utf8))' (AWS_PROFILE) is not in \(description)"
                )
            }
            return nil
        }
        return Profile(name: profileName, parts: parts) { Self.section("services", $0, in: configured) }
    }

    /// In the configuration, `[profile NAME]`; and for the default one `[default]`.
    private func profile(in sections: [[UInt8]: [String: [UInt8]]]) -> [String: [UInt8]]? {
        let name = Array(profileName.utf8)
        return Self.section("profile", name, in: sections) ?? (profileName == "default" ? sections[name] : nil)
    }

    /// `[KIND NAME]`, where the name may be in quotes.
    private static func section(
        _ kind: String,
        _ name: [UInt8],
        in sections: [[UInt8]: [String: [UInt8]]]
    ) -> [String: [UInt8]]? {
        for (section, settings) in sections where section.starts(with: kind.utf8) {
            var rest = section.dropFirst(kind.utf8.count)
            guard let first = rest.first, first == 0x20 || first == 0x09 else { continue }
            while let first = rest.first, first == 0x20 || first == 0x09 { rest.removeFirst() }
            if let quote = rest.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"), rest.last == quote,
                rest.count >= 2
            {
                rest = rest.dropFirst().dropLast()
            }
            if rest.elementsEqual(name) { return settings }
        }
        return nil
    }

    private func isForbidden(_ path: String) -> Bool {
        do {
            try FileDescriptor.open(path, .readOnly, options: .closeOnExec).close()
            return false
        } catch {
            return error as? Errno == .permissionDenied
        }
    }

    /// `nil` when there is no such file. One that nobody named and that can't be opened is as good as none: it may be in
    /// the home of another user.
    private func sections(of file: File) throws(CredentialsError) -> [[UInt8]: [String: [UInt8]]]? {
        let bytes: [UInt8]
        do {
            bytes = try readFile(file.path, limit: Self.limit)
        } catch {
            let errno = error as? Errno
            if errno == .noSuchFileOrDirectory || errno == .notDirectory { return nil }
            if !file.isNamed, errno == .permissionDenied { return nil }
            throw CredentialsError("read \(file.path): \(error)", mayPass: errno?.mayPass ?? false)
        }
        guard bytes.count <= Self.limit else {
            throw CredentialsError("read \(file.path): it has over \(Self.limit) bytes")
        }
        return try INIFile(bytes, path: file.path).sections
    }
}

/// What of a file's status changes when its content does, or who may read it.
struct FileStamp: Equatable, Sendable {
    private let device: UInt
    private let inode: UInt
    private let size: Int
    private let seconds: Int
    private let nanoseconds: Int

    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        seconds = status.st_ctim.tv_sec
        nanoseconds = status.st_ctim.tv_nsec
    }
}
