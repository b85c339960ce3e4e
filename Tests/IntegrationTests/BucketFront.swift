import Foundation
import Synchronization
import TestSupport

/// An nginx between a stack and its engine. It logs the requests, can change the answers, and can stop or hang like an
/// engine.
final class BucketFront: Sendable {
    struct Request: Equatable {
        let method: String
        let target: String
        let status: Int
        /// Bytes of the answer's body.
        let bytes: Int
        /// The `Range` header's value; `-` without one.
        let range: String
    }

    let engine: any S3Engine
    /// Host and port.
    let host: String
    private let folder: TemporaryFolder
    private let nginx: Mutex<ChildProcess>

    /// - Parameter directives: nginx directives that change the answers.
    init(_ engine: any S3Engine, _ directives: String = "") throws {
        self.engine = engine
        folder = try TemporaryFolder()
        let port = try freePort()
        host = "127.0.0.1:\(port)"
        let conf = """
            daemon off;
            master_process off;
            \(geteuid() == 0 ? "user root;" : "")
            pid \(folder.file("pid"));
            events { worker_connections 1024; }
            http {
                log_format front '$request_method $request_uri $status $body_bytes_sent $http_range';
                access_log \(folder.file("access.log")) front;
                client_max_body_size 0;
                client_body_temp_path \(folder.file("temp-body"));
                proxy_temp_path \(folder.file("temp-proxy"));
                fastcgi_temp_path \(folder.file("temp-fastcgi"));
                uwsgi_temp_path \(folder.file("temp-uwsgi"));
                scgi_temp_path \(folder.file("temp-scgi"));
                upstream engine { server \(engine.host); keepalive 16; }
                server {
                    listen \(host);
                    location / {
                        proxy_http_version 1.1;
                        proxy_request_buffering off;
                        proxy_buffering off;
                        proxy_set_header Connection "";
                        proxy_set_header Host $http_host;
                        \(directives)
                        proxy_pass http://engine;
                    }
                }
            }
            """
        try write(conf.utf8, to: folder.file("nginx.conf"))
        nginx = Mutex(try Self.start(folder, host))
        let log = folder.file("access.log")
        try eventually("the front logs") { try !contents(of: log).isEmpty }
        try write([], to: log)
    }

    private static func start(_ folder: TemporaryFolder, _ host: String) throws -> ChildProcess {
        let arguments = ["-p", folder.path, "-c", folder.file("nginx.conf"), "-e", folder.file("error.log")]
        let nginx = try ChildProcess("nginx", arguments, log: folder.file("nginx.log"))
        try eventually("the front listens") {
            guard nginx.isRunning else { throw NeverHappened(what: "nginx: \(nginx.log)") }
            // 7: could not connect. Any other status shows that nginx listens (curl(1), EXIT CODES).
            return try run("curl", ["-s", "-o", "/dev/null", "http://\(host)/"]).status != 7
        }
        return nginx
    }

    deinit { kill() }

    /// Closes all connections, and refuses new ones.
    func kill() {
        nginx.withLock { nginx in
            nginx.signal(SIGKILL)
            nginx.wait()
        }
    }

    func restart() throws {
        let started = try Self.start(folder, host)
        nginx.withLock { $0 = started }
    }

    /// Makes the front hang: the kernel accepts connections, and nothing answers.
    func freeze() { nginx.withLock { $0.signal(SIGSTOP) } }
    func thaw() { nginx.withLock { $0.signal(SIGCONT) } }

    func storeURL(_ bucket: String) -> String {
        "s3://\(bucket)?endpoint=http://\(host)&region=\(engine.region)&path-style=true"
    }

    /// The requests answered so far, except workers' probes. nginx logs each one shortly after its end.
    var requests: [Request] {
        let log = (try? String(contentsOfFile: folder.file("access.log"), encoding: .utf8)) ?? ""
        return log.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 5, let status = Int(words[2]), let bytes = Int(words[3]),
                !words[1].contains("/probe/")
            else { return nil }
            return Request(method: words[0], target: words[1], status: status, bytes: bytes, range: words[4])
        }
    }

    /// Successful downloads of a payload, whole or in part.
    func downloads(of payload: [UInt8]) -> [Request] {
        let digest = Stack.digest(payload).dropFirst("sha256:".count)
        return requests.filter { $0.method == "GET" && $0.status < 300 && $0.target.contains(digest) }
    }
}

extension Stack {
    /// A stack whose workers and nginx reach the engine through a front.
    convenience init(
        _ mode: Mode = .handover,
        through front: BucketFront,
        options: [String] = [],
        launcher: [String] = [],
        nginx edit: @escaping (String) -> String = { $0 }
    ) throws {
        let bucket = "payloads/\(UUID().uuidString)"
        try self.init(
            mode,
            options: ["--store", front.storeURL(bucket)] + options,
            launcher: launcher,
            engine: front.engine,
            bucket: bucket,
            nginx: { edit($0.replacingOccurrences(of: front.engine.host, with: front.host)) }
        )
    }
}
