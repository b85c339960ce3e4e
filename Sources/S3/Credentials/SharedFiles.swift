import Encoding
import Glibc
import System
import SystemPackage

/// The shared files of the AWS tools, which contain profiles: credentials (`~/.aws/credentials`) and configuration
/// (`~/.aws/config`).
struct SharedFiles: Sendable {
    /// The profile that the environment selects, or `default`.
    let profileName: String
    private let credentials: File?
    private let configuration: File?

    init(_ variables: Variables) {
        profileName = variables["AWS_PROFILE"] ?? variables["AWS_DEFAULT_PROFILE"] ?? "default"
        let home = variables["HOME"]
        func file(_ variable: String, _ name: String) -> File? {
            guard let path = variables[variable] else {
                return home.map { File(path: "\($0)/.aws/\(name)", isNamed: false) }
            }
            let isBelowHome = path.utf8.starts(with: "~/".utf8)
            return File(path: isBelowHome ? (home ?? "~") + path.dropFirst() : path, isNamed: true)
        }
        credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        configuration = file("AWS_CONFIG_FILE", "config")
    }

    /// The files that were searched for the profile, for messages.
    var description: String {
        let places = [credentials, configuration].compactMap { $0?.description }
        return places.isEmpty ? "any file (HOME is not set)" : places.joined(separator: " and ")
    }

    /// Changes whenever a file's content or permissions change.
    var stamp: [[Int]?] { [credentials, configuration].map { $0?.stamp } }

    /// The profile; `nil` if no file contains it and the environment does not name it.
    func profile() throws -> Profile? {
        let name = Array(profileName.utf8)
        let isDefault = profileName == "default"
        let written = try credentials?.read()
        let configured = try configuration?.read()
        // In the configuration, sections are named `[profile NAME]`, or `[default]`.
        let section = configured?.sections["profile ".utf8 + name] ?? (isDefault ? configured?.sections[name] : nil)
        let parts = [(credentials?.path, written?.sections[name]), (configuration?.path, section)].compactMap {
            if let path = $0.0, let settings = $0.1 { (path: path, settings: settings) } else { nil }
        }
        if !parts.isEmpty {
            let services = parts.lazy.compactMap { $0.settings["services"] }.first
            let settings = services.flatMap { configured?.sections["services ".utf8 + $0] } ?? [:]
            return Profile(name: profileName, parts: parts, services: settings)
        }
        if isDefault { return nil }
        throw CredentialsError("profile '\(printable(profileName.utf8))' (AWS_PROFILE) is not in \(description)")
    }
}

/// One of the two files.
private struct File: Sendable, CustomStringConvertible {
    /// The most bytes accepted in a file.
    private static let limit = 1 << 20

    let path: String
    /// Whether the environment names the file.
    let isNamed: Bool

    var description: String {
        do {
            try FileDescriptor.open(path, .readOnly, options: .closeOnExec).close()
        } catch Errno.permissionDenied {
            return "\(path) (no permission)"
        } catch {}
        return path
    }

    /// The file's settings; `nil` if the file does not exist. A default file without permission counts as missing,
    /// because it may be in another user's home.
    func read() throws -> INIFile? {
        let bytes: [UInt8]
        do {
            bytes = try readFile(path, limit: Self.limit)
        } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
            return nil
        } catch Errno.permissionDenied where !isNamed {
            return nil
        } catch {
            throw CredentialsError("read \(path): \(error)", mayPass: (error as? Errno)?.mayPass ?? false)
        }
        guard bytes.count <= Self.limit else { throw CredentialsError("read \(path): it has over \(Self.limit) bytes") }
        return try INIFile(bytes, path: path)
    }

    /// The parts of the file's status that change with its content or permissions.
    var stamp: [Int]? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        let changed = status.st_ctim
        let file = [status.st_dev, status.st_ino].map { Int(truncatingIfNeeded: $0) }
        return file + [status.st_size, changed.tv_sec, changed.tv_nsec]
    }
}
