import Crypto
import Foundation
import Testing

/// The whole service on this machine, in a temporary folder: a real nginx with the project's own files, and real
/// workers that share one socket.
package final class Stack: @unchecked Sendable {
    /// How nginx and the workers hand over payloads.
    package enum Mode: String, CaseIterable, Sendable {
        /// As deployed: uploads as files, downloads by X-Accel-Redirect.
        case handover
        /// As with any other web server: both through FastCGI.
        case plain
    }

    /// What the wire contract must hold for: both ways to hand over, both kinds of store, and an nginx that was configured
    /// for something else.
    package enum Variant: String, CaseIterable, Sendable {
        case disk, plainDisk, unfriendlyDisk, bucket, plainBucket, unfriendlyBucket

        /// All, or those with a bucket where the run is about an engine.
        package static var allCases: [Variant] {
            let buckets: [Variant] = [.bucket, .plainBucket, .unfriendlyBucket]
            return TestEngine.isNamed ? buckets : [.disk, .plainDisk, .unfriendlyDisk] + buckets
        }

        package var isBucket: Bool { self == .bucket || self == .plainBucket || self == .unfriendlyBucket }
        var isUnfriendly: Bool { self == .unfriendlyDisk || self == .unfriendlyBucket }
        var mode: Mode { self == .plainDisk || self == .plainBucket ? .plain : .handover }
    }

    package let mode: Mode
    package let folder: TemporaryFolder
    /// The store's folder; where uploads are taken in is in it, also when the store is a bucket.
    package let store: String
    /// The engine that has the store's bucket.
    package let engine: (any S3Engine)?
    /// What workers and tools are given as the store.
    package let storePlace: String
    package let workerSocket: String
    /// nginx's own socket, for HTTP and HTTPS.
    package let httpSocket: String
    package let tlsSocket: String
    package let nginx: ChildProcess
    private let listener: Int32
    private let options: [String]
    private let launcher: [String]
    private let disk: SmallDisk?
    // Guarded by the lock.
    private var pool: [ChildProcess] = []
    private let lock = NSLock()

    /// - Parameters:
    ///   - launcher: a program that becomes the worker, and its arguments.
    ///   - health: what the health check is to answer at first.
    ///   - disk: where the store is; `nil` for the temporary folder.
    ///   - engine: the engine whose bucket is the store; `nil` for a store on disk.
    ///   - bucket: the bucket, and a prefix of this stack's own by default.
    ///   - backlog: how many connections may wait for the workers, less one.
    ///   - edit: changes nginx's files.
    package init(
        _ mode: Mode = .handover,
        workers: Int = 1,
        options: [String] = [],
        launcher: [String] = [],
        health: Int = 200,
        disk: SmallDisk? = nil,
        engine: (any S3Engine)? = nil,
        bucket: String? = nil,
        backlog: Int32 = 4096,
        nginx edit: (String) -> String = { $0 }
    ) throws {
        self.mode = mode
        self.options = options
        self.launcher = launcher
        self.disk = disk
        self.engine = engine
        folder = try TemporaryFolder()
        store = disk?.file("store") ?? folder.file("store")
        workerSocket = folder.file("lps.sock")
        httpSocket = folder.file("http.sock")
        tlsSocket = folder.file("https.sock")
        if let engine {
            storePlace = engine.storeURL(bucket: bucket ?? "payloads/\(UUID().uuidString)")
            try FileManager.default.createDirectory(atPath: "\(store)/incoming", withIntermediateDirectories: true)
        } else {
            storePlace = store
            let initialised = try run(Project.binary("lps"), ["init", "--store", store])
            guard initialised.status == 0 else { throw NeverHappened(what: "lps init: \(initialised.output)") }
        }
        try FileManager.default.createDirectory(atPath: folder.file("pool"), withIntermediateDirectories: true)
        listener = try listenUnix(workerSocket, backlog: backlog)
        try Self.configure(folder, store, engine, mode, edit)
        let error = folder.file("nginx-error.log")
        nginx = try ChildProcess(
            "nginx",
            ["-p", folder.path, "-c", folder.file("nginx.conf"), "-e", error],
            log: folder.file("nginx.log")
        )
        try startWorkers(workers)
        let nginx = nginx
        try eventually("nginx listens") {
            guard nginx.isRunning else { throw NeverHappened(what: "nginx: \(nginx.log)") }
            return (try? HTTPConnection(folder.file("https.sock"))) != nil
        }
        try eventually("health is \(health)") { (try? self.request("HEAD", "/v2/health/head").status) == health }
    }

    /// A stack of a kind; a bucket is of the engine that all tests share.
    package convenience init(
        _ variant: Variant,
        workers: Int = 1,
        options: [String] = [],
        nginx edit: (String) -> String = { $0 }
    ) throws {
        try self.init(
            variant.mode,
            workers: workers,
            options: options,
            engine: variant.isBucket ? TestEngine.shared : nil,
            nginx: { edit(variant.isUnfriendly ? UnfriendlyNginx.edit($0) : $0) }
        )
    }

    deinit {
        // nginx gives the requests of a dead worker to the next one, so its clients may not notice.
        for worker in pool where !worker.isRunning {
            Issue.record("a worker ended by itself: status \(worker.wait()), \(worker.log)")
        }
        // SIGKILL of the master would leave nginx's workers behind.
        nginx.signal(SIGTERM)
        nginx.wait()
        close(listener)
    }

    private static func configure(
        _ folder: TemporaryFolder,
        _ store: String,
        _ engine: (any S3Engine)?,
        _ mode: Mode,
        _ edit: (String) -> String
    ) throws {
        // The package's files are in lps/, the operator's in etc/.
        for (source, target) in [("nginx", "lps"), ("nginx/etc", "etc")] {
            try FileManager.default.createDirectory(atPath: folder.file(target), withIntermediateDirectories: true)
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(Project.root)/\(source)")
            where name.hasSuffix(".conf") {
                var text = try Project.text("\(source)/\(name)")
                    .replacingOccurrences(of: "/etc/lps/nginx/", with: folder.file("etc/"))
                    .replacingOccurrences(of: "/var/lib/lps", with: store)
                    .replacingOccurrences(of: "/run/lps/", with: folder.path + "/")
                    .replacingOccurrences(of: "/var/log/nginx/lps.log", with: folder.file("access.log"))
                    .replacingOccurrences(of: "listen [::]:443 ssl http2;", with: "")
                    .replacingOccurrences(of: "listen 443", with: "listen unix:\(folder.file("https.sock"))")
                    .replacingOccurrences(of: "/etc/ssl/lps", with: folder.path)
                    .replacingOccurrences(of: "/var/cache/lps", with: folder.file("cache"))
                    .replacingOccurrences(of: "127.0.0.1:8333", with: engine?.host ?? "127.0.0.1:8333")
                if mode == .plain {
                    text = text.replacingOccurrences(of: "include lps/handover.conf;", with: "")
                }
                if engine != nil {
                    text = text.replacingOccurrences(of: "# include lps/s3", with: "include lps/s3")
                }
                try edit(text).write(toFile: folder.file("\(target)/\(name)"), atomically: true, encoding: .utf8)
            }
        }
        let tls = try certificate.get()
        try write(tls.certificate, to: folder.file("cert.pem"))
        try write(tls.key, to: folder.file("key.pem"))
        let conf = """
            daemon off;
            \(geteuid() == 0 ? "user root;" : "")
            worker_processes 2;
            worker_rlimit_nofile 8192;
            pid \(folder.file("nginx.pid"));
            error_log \(folder.file("nginx-error.log")) info;
            events { worker_connections 4096; }
            http {
                access_log off;
                client_body_temp_path \(folder.file("temp-body"));
                proxy_temp_path \(folder.file("temp-proxy"));
                fastcgi_temp_path \(folder.file("temp-fastcgi"));
                uwsgi_temp_path \(folder.file("temp-uwsgi"));
                scgi_temp_path \(folder.file("temp-scgi"));
                include lps/http.conf;
                include lps/site.conf;
                server {
                    listen unix:\(folder.file("http.sock"));
                    include lps/server.conf;
                    \(engine == nil ? "" : "include lps/s3.conf;")
                    include lps/codec.conf;
                    include lps/status.conf;
                    error_page 400 494 497 = /lps-internal/400;
                    error_page 405 = /lps-internal/405;
                    error_page 414 = /lps-internal/414;
                    error_page 501 = /lps-internal/501;
                    error_page 505 = /lps-internal/505;
                    location / { include lps/error.conf; return 404 "unknown path"; }
                }
            }
            """
        try edit(conf).write(toFile: folder.file("nginx.conf"), atomically: true, encoding: .utf8)
    }

    /// A certificate of localhost and its key, the same for all stacks of a process.
    private static let certificate = Result {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let (certificate, key) = (folder.file("cert.pem"), folder.file("key.pem"))
        let made = try run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
            ]
        )
        guard made.status == 0 else { throw NeverHappened(what: "openssl: \(made.output)") }
        return (certificate: try contents(of: certificate), key: try contents(of: key))
    }

    // MARK: The pool

    /// The options that give a worker this stack's store.
    package var storeOptions: [String] {
        ["--store", storePlace] + (engine == nil ? [] : ["--incoming", "\(store)/incoming"])
    }

    package var workers: [ChildProcess] { lock.withLock { pool } }

    /// Starts more workers on the shared socket; they are ready when this returns.
    @discardableResult
    package func startWorkers(_ count: Int) throws -> [ChildProcess] {
        let started = try (0..<count).map { _ in
            let command = launcher + [Project.binary("lps-worker")]
            return try ChildProcess(
                command[0],
                command.dropFirst() + storeOptions + ["--runtime-dir", folder.file("pool")] + options,
                environment: engine?.environment ?? [:],
                standardInput: listener,
                log: folder.file("worker-\(UUID().uuidString).log")
            )
        }
        lock.withLock { pool += started }
        for worker in started {
            try eventually("a worker serves: \(worker.log)") {
                guard worker.isRunning else { throw NeverHappened(what: "worker: \(worker.log)") }
                return worker.log.contains("msg=serving")
            }
        }
        return started
    }

    /// Ends a worker with a signal and waits for its end.
    @discardableResult
    package func stop(_ worker: ChildProcess, _ signal: Int32 = SIGTERM) -> Int32 {
        worker.signal(signal)
        let status = worker.wait()
        lock.withLock { pool.removeAll { $0 === worker } }
        return status
    }

    /// How many connections wait in the workers' socket until one takes them.
    package var waiting: Int {
        // One that nobody has accepted has the listening socket's path and the state SS_CONNECTING (proc(5),
        // net/unix/af_unix.c). The file is read line by line: Foundation takes its first page for the whole. While sockets
        // come and go, a line may be read twice, or not at all.
        guard let file = fopen("/proc/net/unix", "r") else { return 0 }
        defer { fclose(file) }
        var (line, capacity) = (UnsafeMutablePointer<CChar>?.none, 0)
        defer { free(line) }
        var count = 0
        while getline(&line, &capacity, file) > 0, let line {
            let fields = String(cString: line).split { $0.isWhitespace }
            if fields.last == workerSocket[...], fields.dropFirst(5).first == "02" { count += 1 }
        }
        return count
    }

    /// The files of nginx's cache, when there are so many: nginx names one some time after its answer.
    @discardableResult
    package func cacheEntries(_ count: Int) throws -> [String] {
        let cache = folder.file("cache")
        var entries: [String] = []
        try eventually("\(count) payloads are cached: \(entries)") {
            // While one is written, its name has a number behind a dot.
            entries = files(below: cache).filter { !$0.contains(".") }
            return entries.count == count
        }
        return entries.map { "\(cache)/\($0)" }
    }

    package var workerLog: String { workers.map(\.log).joined() }
    package var accessLog: String { (try? String(contentsOfFile: folder.file("access.log"), encoding: .utf8)) ?? "" }

    // MARK: Requests

    package func request(
        _ method: String,
        _ target: String,
        _ headers: [String: String] = [:],
        body: [UInt8]? = nil
    ) throws -> HTTPAnswer {
        let connection = try HTTPConnection(httpSocket)
        try connection.send(method, target, headers, length: body?.count)
        if let body { try connection.send(body) }
        return try connection.receive(answerTo: method)
    }

    @discardableResult
    package func put(
        _ payload: [UInt8],
        namespace: String = "default",
        digest: String? = nil,
        metadata: String = "{}"
    ) throws -> HTTPAnswer {
        let target = Self.putTarget(namespace: namespace, digest: digest ?? Self.digest(payload))
        return try request("PUT", target, Self.putHeaders(metadata: metadata), body: payload)
    }

    /// Uploads to a worker's own socket, as nginx hands it over in this stack's mode: the answer in CGI's form.
    package func putThroughFastCGI(_ payload: [UInt8], namespace: String, _ socket: String) throws -> String {
        let target = Self.putTarget(namespace: namespace, digest: Self.digest(payload)).split(separator: "?")
        var parameters = [
            "REQUEST_METHOD": "PUT", "SCRIPT_NAME": String(target[0]), "QUERY_STRING": String(target[1]),
            "CONTENT_TYPE": "application/octet-stream", "CONTENT_LENGTH": "\(payload.count)",
            "HTTP_X_TEMPORAL_METADATA": "e30=",
        ]
        if mode == .handover {
            let file = "\(store)/incoming/\(UUID().uuidString)"
            try write(payload, to: file)
            parameters["REQUEST_BODY_FILE"] = file
        }
        let client = try FastCGIClient(socket)
        client.send(FastCGIClient.head(parameters))
        if mode == .plain { client.send(FastCGIClient.record(.stdin, payload)) }
        client.send(FastCGIClient.record(.stdin, []))
        return client.receiveAnswer()
    }

    /// Posts to the codec server.
    package func codec(
        _ operation: String,
        _ body: [UInt8],
        _ headers: [String: String] = ["X-Namespace": "default"]
    ) throws -> HTTPAnswer {
        let headers = headers.merging(["Content-Type": "application/json"]) { given, _ in given }
        return try request("POST", "/codec/\(operation)", headers, body: body)
    }

    package func get(_ key: String, length: Int, _ headers: [String: String] = [:]) throws -> HTTPAnswer {
        try request("GET", Self.getTarget(key), Self.getHeaders(length: length).merging(headers) { $1 })
    }

    package static func putTarget(namespace: String, digest: String) -> String {
        "/v2/blobs/put?namespace=\(escape(namespace))&digest=\(escape(digest))"
    }

    package static func putHeaders(metadata: String = "{}") -> [String: String] {
        [
            "Content-Type": "application/octet-stream",
            "X-Temporal-Metadata": Data(metadata.utf8).base64EncodedString(),
        ]
    }

    package static func getTarget(_ key: String) -> String {
        "/v2/blobs/get?key=\(escape(key))"
    }

    package static func getHeaders(length: Int) -> [String: String] {
        ["Content-Type": "application/octet-stream", "X-Payload-Expected-Content-Length": "\(length)"]
    }

    /// The parameters of a download, as nginx hands it over.
    package static func getParameters(_ key: String, length: Int) -> [String: String] {
        let target = getTarget(key).split(separator: "?")
        return [
            "REQUEST_METHOD": "GET", "SCRIPT_NAME": String(target[0]), "QUERY_STRING": String(target[1]),
            "CONTENT_TYPE": "application/octet-stream", "HTTP_X_PAYLOAD_EXPECTED_CONTENT_LENGTH": "\(length)",
        ]
    }

    package static func escape(_ text: String) -> String {
        text.addingPercentEncoding(
            withAllowedCharacters: .alphanumerics.intersection(CharacterSet(charactersIn: "\0"..."~"))
        ) ?? ""
    }

    package static func digest(_ payload: [UInt8]) -> String {
        "sha256:" + SHA256.hash(data: payload).map { String(format: "%02x", $0) }.joined()
    }

    /// The key of an upload that was taken.
    package static func key(_ answer: HTTPAnswer) throws -> String {
        try key(answer.body)
    }

    package static func key(_ json: [UInt8]) throws -> String {
        struct Answer: Decodable { let Key: String }
        return try JSONDecoder().decode(Answer.self, from: Data(json)).Key
    }

    /// Waits until nothing is left of the uploads: nginx removes its file a moment after the answer.
    package func expectNothingIncoming() throws {
        try eventually("incoming is empty: \(incoming)") { incoming.isEmpty }
    }

    /// What lies in `incoming/`.
    package var incoming: [String] { files(below: "\(store)/incoming") }

    /// The objects and keys of a store on disk, as relative paths.
    package var tree: [String] { objects + keys }
    /// The files that hold its content, as relative paths.
    package var objects: [String] { files(below: store).filter { $0.hasPrefix("objects/") } }
    /// The files that are its keys, as relative paths.
    package var keys: [String] { files(below: store).filter { $0.hasPrefix("keys/") } }

    /// What the store has, as `lps ls` tells it.
    package func listing() throws -> [String] {
        let listed = try lps("ls")
        guard listed.status == 0 else { throw NeverHappened(what: "lps ls: \(listed.output)") }
        return listed.output.split(separator: "\n").map(String.init).sorted()
    }

    /// Runs `lps` on the store.
    package func lps(_ arguments: String...) throws -> (status: Int32, output: String) { try lps(arguments) }

    /// Runs `lps` on the store.
    package func lps(_ arguments: [String]) throws -> (status: Int32, output: String) {
        try run(
            Project.binary("lps"),
            [arguments[0], "--store", storePlace] + arguments.dropFirst(),
            environment: engine?.environment ?? [:]
        )
    }
}

/// Bytes that no other call gives, quickly: a pattern with a random start.
package func randomPayload(_ count: Int) -> [UInt8] {
    var state = UInt64.random(in: 1...UInt64.max)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        for index in 0..<count {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            buffer[index] = UInt8(truncatingIfNeeded: state)
        }
        initialized = count
    }
}
