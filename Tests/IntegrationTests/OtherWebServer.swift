import Foundation
import TestSupport
import Testing

/// A real web server in front of a real worker, with the documented configuration.
final class OtherWebServer: PayloadServer {
    enum Kind: String, CaseIterable, Sendable {
        /// As configured when nginx and the workers run as different users.
        case nginx
        case apache, lighttpd

        /// The servers of `docs/other-web-servers.md`.
        static let others: [Kind] = [.apache, .lighttpd]
    }

    let folder: TemporaryFolder
    let port: UInt16
    let tlsPort: UInt16
    let store: String
    private let options: [String]
    private let process: ChildProcess
    private(set) var worker: ChildProcess

    /// - Parameters:
    ///   - options: the worker's options.
    ///   - pool: creates the store and starts workers on the folder's `lps.sock`, in place of a single worker.
    ///   - edit: changes the documented configuration, after its paths and ports are replaced.
    init(
        _ kind: Kind,
        options: [String] = [],
        pool: ((TemporaryFolder) throws -> ChildProcess)? = nil,
        edit: (String) -> String = { $0 }
    ) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        self.options = options
        store = folder.file("store")
        let ports = try freePorts(2)
        (port, tlsPort) = (ports[0], ports[1])
        // The server's processes run as www-data.
        try requireDone("chmod", ["0711", folder.path])
        try FileManager.default.createDirectory(atPath: folder.file("pool"), withIntermediateDirectories: true)
        try TestCertificate.copy(to: folder)
        let here = Files(folder: folder, port: port, tlsPort: tlsPort)
        let command =
            switch kind {
            case .nginx: try here.configureNginx(edit)
            case .apache: try here.configureApache(edit)
            case .lighttpd: try here.configureLighttpd(edit)
            }
        if let pool {
            worker = try pool(folder)
        } else {
            try requireDone(Project.binary("lps"), ["init", "--store", store])
            worker = try Self.startWorker(folder, store, options)
        }
        process = try ChildProcess(command, log: folder.file("server.log"))
        try eventually("\(kind.rawValue) serves") {
            guard process.isRunning else {
                let error = try? String(contentsOfFile: folder.file("\(kind.rawValue)-error.log"), encoding: .utf8)
                throw NeverHappened(what: "\(kind.rawValue): \(process.log) \(error ?? "")")
            }
            return (try? self.request("HEAD", "/v2/health/head").status) == 200
        }
    }

    deinit {
        // SIGKILL would leave the master's workers behind.
        process.signal(SIGTERM)
        process.wait()
    }

    private static func startWorker(_ folder: TemporaryFolder, _ store: String, _ options: [String]) throws
        -> ChildProcess
    {
        let worker = try ChildProcess(
            Project.binary("lps-worker"),
            [
                "--store", store, "--listen", folder.file("lps.sock"), "--listen-mode", "0666", "--runtime-dir",
                folder.file("pool"),
            ] + options,
            log: folder.file("worker-\(UUID().uuidString).log")
        )
        try worker.waitUntilServing()
        return worker
    }

    func stopWorker() {
        worker.signal(SIGTERM)
        worker.wait()
    }

    func startWorker() throws { worker = try Self.startWorker(folder, store, options) }

    // MARK: Requests

    func request(
        _ method: String,
        _ target: String,
        _ headers: [String: String] = [:],
        body: [UInt8]? = nil
    ) throws -> HTTPAnswer {
        let connection = try HTTPConnection(port: port)
        try connection.send(method, target, headers, length: body?.count)
        // A server may answer and close before it has read the whole body.
        if let body { try? connection.send(body) }
        return try connection.receive(answerTo: method)
    }

    func curl(_ arguments: [String], _ path: String) throws -> String {
        let url = "https://localhost:\(tlsPort)\(path)"
        let fixed = ["-sS", "--cacert", folder.file("cert.pem"), "--resolve", "localhost:\(tlsPort):127.0.0.1"]
        return try run("curl", fixed + arguments + [url]).output
    }
}

/// Writes the configuration of each web server.
private struct Files {
    let folder: TemporaryFolder
    let port: UInt16
    let tlsPort: UInt16

    private func local(_ text: String) -> String {
        let places = [
            ("/run/lps/", folder.path + "/"), ("/etc/ssl/lps", folder.path), ("/etc/apache2/", folder.path + "/"),
            ("/etc/lighttpd/", folder.path + "/"), ("*:443", "127.0.0.1:\(tlsPort)"),
            ("\":443\"", "\"127.0.0.1:\(tlsPort)\""), ("# Include", "Include"), ("# include", "include"),
        ]
        return places.reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    /// Writes the documented configuration, and the main file that includes it.
    private func write(_ language: String, main: String, _ name: String, _ edit: (String) -> String) throws {
        let texts = try Project.blocks(language, in: "docs/other-web-servers.md")
        let names = ["lps.conf", "site.conf", "lps-codec.conf"]
        try #require(texts.count == names.count)
        // Including the codec server's.
        for (text, name) in zip(texts, names) { try TestSupport.write(edit(local(text)).utf8, to: folder.file(name)) }
        try TestSupport.write(main.utf8, to: folder.file(name))
    }

    func configureApache(_ edit: (String) -> String) throws -> [String] {
        // The modules that Debian enables by default, and those that the document enables.
        let modules = [
            "mpm_event", "authz_core", "authz_host", "alias", "dir", "env", "setenvif", "reqtimeout", "filter",
            "deflate", "socache_shmcb", "ssl", "http2", "headers", "unique_id", "proxy", "proxy_fcgi",
        ]
        let root = geteuid() == 0
        let main = """
            ServerRoot \(folder.path)
            ServerName localhost
            PidFile \(folder.file("apache.pid"))
            DefaultRuntimeDir \(folder.path)
            Mutex sem
            ErrorLog \(folder.file("apache-error.log"))
            DocumentRoot \(folder.path)
            Listen 127.0.0.1:\(port)
            Listen 127.0.0.1:\(tlsPort)
            \(modules.map { "LoadModule \($0)_module /usr/lib/apache2/modules/mod_\($0).so" }.joined(separator: "\n"))
            \(root ? "User www-data\nGroup www-data" : "")
            Timeout 300
            RequestReadTimeout header=20-40,minrate=500 body=20,minrate=500
            AddOutputFilterByType DEFLATE application/octet-stream application/json text/plain
            Include \(folder.file("site.conf"))
            <VirtualHost 127.0.0.1:\(port)>
                Include \(folder.file("lps.conf"))
                Include \(folder.file("lps-codec.conf"))
            </VirtualHost>
            """
        try write("apache", main: main, "apache.conf", edit)
        return ["apache2", "-f", folder.file("apache.conf"), "-D", "FOREGROUND"]
    }

    func configureLighttpd(_ edit: (String) -> String) throws -> [String] {
        // Debian's configuration, with the modules that the document enables.
        let main = """
            server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect", "mod_setenv", "mod_fastcgi" )
            server.document-root = "\(folder.path)"
            server.upload-dirs = ( "\(folder.path)" )
            server.errorlog = "\(folder.file("lighttpd-error.log"))"
            server.bind = "127.0.0.1"
            server.port = \(port)
            server.http-parseopts = (
                "header-strict" => "enable", "host-strict" => "enable", "host-normalize" => "enable",
                "url-normalize-unreserved" => "enable", "url-normalize-required" => "enable",
                "url-ctrls-reject" => "enable", "url-path-2f-decode" => "enable", "url-path-dotseg-remove" => "enable"
            )
            url.access-deny = ( "~", ".inc" )
            include "\(folder.file("site.conf"))"
            server.modules += ( "mod_staticfile" )

            """
        try write("lighttpd", main: main, "lighttpd.conf", edit)
        return ["lighttpd", "-D", "-f", folder.file("lighttpd.conf")]
    }

    func configureNginx(_ edit: (String) -> String) throws -> [String] {
        let replacing = [("include lps/handover.conf;", "")]
        try NginxFiles.install(in: folder, store: folder.file("store"), replacing: replacing, edit)
        let main = """
            \(NginxFiles.main(folder, user: "www-data"))
            events { worker_connections 1024; }
            http {
                access_log off;
                \(NginxFiles.temporaryPaths(folder))
                include lps/http.conf;
                server {
                    listen 127.0.0.1:\(port);
                    include lps/server.conf;
                    include lps/codec.conf;
                }
            }
            """
        try TestSupport.write(main.utf8, to: folder.file("nginx.conf"))
        return NginxFiles.command(folder)
    }
}
