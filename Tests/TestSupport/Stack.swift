import Crypto
import Foundation
import Testing

/// The whole service in a temporary folder of this machine: a real nginx with the project's own files, and real
/// workers that share one socket.
package final class Stack: PayloadServer, @unchecked Sendable {
    /// How nginx and the workers hand over payloads.
    package enum Mode: String, CaseIterable, Sendable {
        /// As deployed: uploads as files, downloads by X-Accel-Redirect.
        case handover
        /// As with other web servers: both through FastCGI.
        case plain
    }

    /// Variants that the wire contract must hold for: both ways to hand over, both kinds of store, and an nginx
    /// configured for other purposes.
    package enum Variant: String, CaseIterable, Sendable {
        case disk, plainDisk, unfriendlyDisk, bucket, plainBucket, unfriendlyBucket

        /// All variants, or those with a bucket if the run tests an engine.
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
    /// The store's folder. It contains the folder for uploads, even if the store is a bucket.
    package let store: String
    /// The engine of the store's bucket.
    package let engine: (any S3Engine)?
    /// The value of `--store` for workers and `lps`.
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
    ///   - launcher: a program that executes the worker, and its arguments.
    ///   - health: the expected first status of the health check.
    ///   - disk: the disk of the store; `nil` for the temporary folder.
    ///   - engine: the engine whose bucket is the store; `nil` for a store on disk.
    ///   - bucket: the bucket and prefix; by default, a prefix of this stack's own.
    ///   - backlog: the number of connections that can wait for the workers, minus one.
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
            try requireDone(Project.binary("lps"), ["init", "--store", store])
        }
        try FileManager.default.createDirectory(atPath: folder.file("pool"), withIntermediateDirectories: true)
        listener = try listenUnix(workerSocket, backlog: backlog)
        try Self.configure(folder, store, engine, mode, edit)
        nginx = try ChildProcess(NginxFiles.command(folder), log: folder.file("nginx.log"))
        try startWorkers(workers)
        try eventually("nginx listens") {
            guard nginx.isRunning else { throw NeverHappened(what: "nginx: \(nginx.log)") }
            return (try? HTTPConnection(tlsSocket)) != nil
        }
        try eventually("health is \(health)") { (try? request("HEAD", "/v2/health/head").status) == health }
    }

    /// A stack of a variant. A bucket is in the engine that all tests share.
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
        // nginx passes a dead worker's requests to another one, so clients may not notice.
        for worker in pool where !worker.isRunning {
            Issue.record("a worker ended by itself: status \(worker.wait()), \(worker.log)")
        }
        // SIGKILL to the master would leave nginx's workers running.
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
        var replacing = [
            ("listen [::]:443 ssl http2;", ""), ("listen 443", "listen unix:\(folder.file("https.sock"))"),
            ("/etc/ssl/lps", folder.path), ("/var/cache/lps", folder.file("cache")),
        ]
        if mode == .plain { replacing.append(("include lps/handover.conf;", "")) }
        if let engine { replacing += [("127.0.0.1:8333", engine.host), ("# include lps/s3", "include lps/s3")] }
        try NginxFiles.install(in: folder, store: store, replacing: replacing, edit)
        try TestCertificate.copy(to: folder)
        let conf = """
            \(NginxFiles.main(folder))
            worker_processes 2;
            worker_rlimit_nofile 8192;
            events { worker_connections 4096; }
            http {
                access_log off;
                \(NginxFiles.temporaryPaths(folder))
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
        try write(edit(conf).utf8, to: folder.file("nginx.conf"))
    }

    // MARK: The pool

    /// The options for this stack's store.
    package var storeOptions: [String] {
        ["--store", storePlace] + (engine == nil ? [] : ["--incoming", "\(store)/incoming"])
    }

    package var workers: [ChildProcess] { lock.withLock { pool } }

    /// Starts more workers on the shared socket. When this returns, they are ready.
    @discardableResult
    package func startWorkers(_ count: Int) throws -> [ChildProcess] {
        let started = try (0..<count).map { _ in
            try ChildProcess(
                launcher + [Project.binary("lps-worker")] + storeOptions + ["--runtime-dir", folder.file("pool")]
                    + options,
                environment: engine?.environment ?? [:],
                standardInput: listener,
                log: folder.file("worker-\(UUID().uuidString).log")
            )
        }
        lock.withLock { pool += started }
        for worker in started { try worker.waitUntilServing() }
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

    /// The number of connections that wait in the workers' socket to be accepted.
    package var waiting: Int {
        // A connection not yet accepted has the listening socket's path and the state SS_CONNECTING (proc(5),
        // net/unix/af_unix.c). The file is read line by line, since Foundation reads only its first page. While sockets
        // open and close, a line may be read twice, or not at all.
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

    /// Waits for `count` files in nginx's cache, which names one only some time after its answer.
    @discardableResult
    package func cacheEntries(_ count: Int) throws -> [String] {
        let cache = folder.file("cache")
        var entries: [String] = []
        try eventually("\(count) payloads are cached: \(entries)") {
            // An unfinished file's name ends with a dot and a number.
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

    /// Uploads to a worker's own socket as nginx does in this stack's mode. Returns the answer in CGI's format.
    package func putThroughFastCGI(_ payload: [UInt8], namespace: String, _ socket: String) throws -> String {
        var parameters = Self.putParameters(payload, namespace: namespace)
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

    /// The parameters of an upload whose body follows in the request.
    package static func putParameters(_ payload: [UInt8], namespace: String) -> [String: String] {
        let target = putTarget(namespace: namespace, digest: digest(payload)).split(separator: "?")
        return [
            "REQUEST_METHOD": "PUT", "SCRIPT_NAME": String(target[0]), "QUERY_STRING": String(target[1]),
            "CONTENT_TYPE": "application/octet-stream", "CONTENT_LENGTH": "\(payload.count)",
            "HTTP_X_TEMPORAL_METADATA": "e30=",
        ]
    }

    /// The parameters of a download, as from nginx.
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

    /// The key of a successful upload.
    package static func key(_ answer: HTTPAnswer) throws -> String {
        try key(answer.body)
    }

    package static func key(_ json: [UInt8]) throws -> String {
        struct Answer: Decodable { let Key: String }
        return try JSONDecoder().decode(Answer.self, from: Data(json)).Key
    }

    /// Waits until no upload's file is left: nginx removes its file shortly after the answer.
    package func expectNothingIncoming() throws {
        try eventually("incoming is empty: \(incoming)") { incoming.isEmpty }
    }

    /// The files in `incoming/`.
    package var incoming: [String] { files(below: "\(store)/incoming") }

    /// The objects and keys of a store on disk, as relative paths.
    package var tree: [String] { objects + keys }
    /// The files that hold content, as relative paths.
    package var objects: [String] { files(below: store).filter { $0.hasPrefix("objects/") } }
    /// The files that are keys, as relative paths.
    package var keys: [String] { files(below: store).filter { $0.hasPrefix("keys/") } }

    /// The store's keys, from `lps ls`.
    package func listing() throws -> [String] {
        let listed = try lps("ls")
        guard listed.status == 0 else { throw NeverHappened(what: "lps ls: \(listed.output)") }
        return listed.output.split(separator: "\n").map(String.init).sorted()
    }

    package func lps(_ arguments: String...) throws -> (status: Int32, output: String) { try lps(arguments) }

    package func lps(_ arguments: [String]) throws -> (status: Int32, output: String) {
        try run(
            Project.binary("lps"),
            [arguments[0], "--store", storePlace] + arguments.dropFirst(),
            environment: engine?.environment ?? [:]
        )
    }
}
