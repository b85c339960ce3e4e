import Foundation
import TestSupport
import Testing

/// The files that an operator installs: for nginx, for systemd, and the binaries.
@Suite(.serialized, .runLimit) struct DeploymentFilesTests {
    @Test func `nginx accepts its configuration without a warning`() throws {
        let stack = try Stack()
        let nginx = NginxFiles.command(stack.folder)
        let checked = try run(nginx[0], nginx.dropFirst() + ["-t"])
        #expect(checked.status == 0)
        #expect(checked.output.contains("test is successful"))
        #expect(!checked.output.contains("[warn]"), "\(checked.output)")
    }

    @Test func `The access log has times, bytes, status, namespace and digest of every request`() throws {
        let stack = try Stack()
        let payload = randomPayload(5000)
        let digest = Stack.digest(payload)
        let key = try Stack.key(stack.put(payload, namespace: "a b"))
        let get = try stack.get(key, length: 5000)
        let wrong = try stack.put(Array("x".utf8), namespace: "a b", digest: digest)
        #expect(try stack.get(key, length: 1).status == 412)
        for answer in [get, wrong] {
            #expect(
                answer.headers.keys.allSatisfy { !$0.hasPrefix("x-lps") && $0 != "x-accel-redirect" },
                "not for clients: \(answer.headers)"
            )
        }
        // nginx logs a request shortly after its answer. The start's health checks are in the log, too.
        func lines() -> [Substring] { stack.accessLog.split(separator: "\n").filter { $0.contains("/v2/blobs/") } }
        try eventually("four uploads and downloads are logged") { lines().count >= 4 }
        let times = #"request_time=\d+\.\d{3} worker_time=\d+\.\d{3} bytes_in=\d+ bytes_out=\d+"#
        // nginx's processes log in any order.
        for status in [201, 200, 400, 412] {
            let line = try #require(lines().first { $0.contains("status=\(status) ") })
            #expect(line.contains("namespace=a%20b digest=\(digest) request_id="), "\(line)")
            #expect(line.range(of: times, options: .regularExpression) != nil, "\(line)")
        }
        #expect(lines().count == 4)
    }

    /// curl's output for a request to the site: body, status and HTTP version.
    private func curl(_ stack: Stack, _ options: [String], _ path: String) throws -> String {
        let common = [
            "-sS", "--http2", "--unix-socket", stack.tlsSocket, "--cacert", stack.folder.file("cert.pem"), "-H",
            "Content-Type: application/octet-stream", "-w", "%{http_code} %{http_version}",
        ]
        return try run("curl", common + options + ["https://localhost" + path]).output
    }

    @Test func `The TLS site accepts TLS 1.2 and 1.3 only, and speaks HTTP/2`() throws {
        let stack = try Stack()
        let payload = randomPayload(300_000)
        let file = stack.folder.file("payload")
        try write(payload, to: file)
        let put = ["-H", "X-Temporal-Metadata: e30=", "-T", file]
        let target = Stack.putTarget(namespace: "ns", digest: Stack.digest(payload))
        for (options, expected) in [
            (["--tls-max", "1.2"], "201 2"), (["--tlsv1.3"], "200 2"), (["--http1.1"], "200 1.1"),
        ] {
            let answer = try curl(stack, options + put, target)
            #expect(answer.hasSuffix(expected), "\(options): \(answer)")
        }
        let key = Stack.key(of: payload, "ns")
        let get = ["-H", "X-Payload-Expected-Content-Length: 300000", "-o", file]
        #expect(try curl(stack, get, Stack.getTarget(key)) == "200 2")
        #expect(try contents(of: file) == payload)
        #expect(try curl(stack, ["--tls-max", "1.1"], "/").contains("curl: (35)"))
        let plain = try HTTPConnection(stack.tlsSocket)
        try plain.send("GET", "/", [:])
        expectError(try plain.receive(), 400, "bad request", "HTTP to the TLS port")
        #expect(try curl(stack, [], "/elsewhere") == "unknown path404 2")
    }

    @Test func `The TLS site accepts a header of 32 KiB, and refuses a body over 1 GiB without reading it`() throws {
        let stack = try Stack()
        let metadata = Data("{\"a\":\"\(Data(repeating: 97, count: 18_000).base64EncodedString())\"}".utf8)
            .base64EncodedString()
        #expect(metadata.utf8.count > 32 << 10 - 1000)
        let file = stack.folder.file("file")
        try write("X-Temporal-Metadata: \(metadata)".utf8, to: file)
        let target = Stack.putTarget(namespace: "ns", digest: Stack.digest([]))
        let put = try curl(stack, ["-H", "@\(file)", "-X", "PUT", "-H", "Content-Length: 0"], target)
        #expect(put.hasSuffix("201 2"))
        #expect(truncate(file, 1 << 30 + 1) == 0)
        let refused = try curl(stack, ["-T", file], target)
        #expect(refused == "payload exceeds max size of 1073741824 bytes413 2")
    }

    @Test func `nginx answers 503 without a worker, and 504 if the worker is too slow`() throws {
        let stack = try Stack {
            $0.replacingOccurrences(of: "fastcgi_read_timeout 300s", with: "fastcgi_read_timeout 1s")
        }
        let worker = stack.workers[0]
        try worker.freeze()
        let slow = try stack.request("HEAD", "/v2/health/head")
        #expect(slow.status == 504)
        worker.signal(SIGCONT)
        stack.stop(worker)
        unlink(stack.workerSocket)
        let away = try stack.request("GET", "/v2/health/head")
        #expect(away.status == 503)
        #expect(away.headers["content-type"] == "text/plain; charset=utf-8")
        #expect(away.text == "no worker of the large payload service answers")
        let put = try stack.put(randomPayload(1000))
        #expect(put.status == 503)
        try stack.expectNothingIncoming()
    }

    /// With a bucket, the services need the network.
    @Test(arguments: [(false, 1.2), (true, 1.5)])
    func `systemd accepts the units, and rates the services' exposure low`(isInBucket: Bool, limit: Double) throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let names = files(below: "\(Project.root)/systemd")
        for name in names {
            let text = try Project.text("systemd/\(name)").replacingOccurrences(
                of: "/usr/bin/",
                with: "\(Project.binaries)/"
            )
            let isLinked = isInBucket && name == "s3.conf"
            let file = folder.file(isLinked ? "lps-.service.d/s3.conf" : name)
            try FileManager.default.createDirectory(
                atPath: (file as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true
            )
            try write(text.utf8, to: file)
        }
        let units = names.filter { !$0.hasSuffix(".conf") }.map {
            folder.file($0.replacingOccurrences(of: "@", with: "@1"))
        }
        let verified = try run("systemd-analyze", ["verify", "--man=no"] + units)
        #expect(verified.status == 0)
        #expect(verified.output.isEmpty, "\(verified.output)")
        let services = units.filter { $0.hasSuffix(".service") }
        #expect(services.count == 3)
        for service in services {
            let rated = try run("systemd-analyze", ["security", "--offline=true", "--no-pager", service])
            let line = try #require(rated.output.split(separator: "\n").last { $0.contains("Overall exposure level") })
            let level = try #require(line.split(separator: " ").compactMap { Double($0) }.first)
            #expect(level < limit, "\(line)")
        }
    }

    /// After twenty starts in ten seconds systemd stops the unit, and lps.socket, where requests wait for a worker.
    @Test(arguments: [
        ("exited", "0", false), ("exited", "1", true), ("exited", "78", true), ("exited", "203", true),
        ("killed", "KILL", false),
        ("dumped", "SEGV", false),
    ])
    func `A failed worker restarts after a pause, a stopped or killed one at once`(
        code: String,
        status: String,
        waits: Bool
    ) throws {
        let folder = try TemporaryFolder()
        try write("#!/bin/sh\necho \"waits $1\"\n".utf8, to: folder.file("sleep"))
        chmod(folder.file("sleep"), 0o755)
        let unit = try Project.text("systemd/lps-worker@.service").split(separator: "\n")
        let line = try #require(unit.first { $0.hasPrefix("ExecStopPost=") }).dropFirst("ExecStopPost=".count)
        let command = line.replacingOccurrences(of: "$$", with: "$")
        let child = try ChildProcess(
            "/bin/sh",
            ["-c", command],
            environment: ["EXIT_CODE": code, "EXIT_STATUS": status, "PATH": folder.path],
            log: folder.file("log")
        )
        #expect(child.wait() == 0)
        #expect(child.log == (waits ? "waits 2\n" : ""))
    }

    /// Directives that can make systemd create a namespace or mount something (systemd.exec(5)).
    private static let namespaces: Set = [
        "ProtectSystem", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths",
        "BindPaths",
        "BindReadOnlyPaths", "TemporaryFileSystem", "RootDirectory", "RootImage", "ProtectHome", "PrivateTmp",
        "PrivateDevices", "PrivateNetwork", "PrivateUsers", "PrivateMounts", "PrivateIPC", "ProtectControlGroups",
        "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc",
        "ProcSubset",
        "MountFlags", "MountAPIVFS", "NetworkNamespacePath", "LogNamespace", "DynamicUser",
    ]

    @Test func `The guide's drop-in for containers turns off exactly what needs a namespace`() throws {
        let guide = try Project.text("docs/operations.md")
        let dropIn = try #require(
            guide.components(separatedBy: "lps-.service.d/unprivileged.conf <<'END'\n").last?.components(
                separatedBy: "\nEND"
            ).first
        )
        func directives(_ text: String) -> [(name: String, value: String)] {
            text.split(separator: "\n").filter { !$0.hasPrefix("#") && $0.contains("=") }.map {
                let parts = $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                return (parts[0], parts[1])
            }
        }
        let files = [
            "lps-.service.d/lps.conf", "lps-worker@.service", "lps-gc.service", "lps-scrub.service", "s3.conf",
        ]
        let needed = Set(try files.flatMap { directives(try Project.text("systemd/\($0)")).map(\.name) })
            .intersection(Self.namespaces)
        #expect(needed == Set(directives(dropIn).map(\.name)))
        #expect(directives(dropIn).allSatisfy { ["no", "", "default", "all"].contains($0.value) })
        #expect(dropIn.hasPrefix("[Service]\n"))
        // systemd sorts drop-ins by file name, whatever their folder, and the last one wins (systemd.unit(5)).
        #expect("unprivileged.conf" > "lps.conf")
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["LPS_BIN_DIR"] != nil, "make test builds the release"))
    func `The programs need only glibc, libfcgi, libcurl and libexpat, and are under 20 MB stripped`() throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        for name in ["lps-worker", "lps"] {
            let stripped = folder.file(name)
            #expect(try run("strip", ["-o", stripped, Project.binary(name)]).status == 0)
            let size = try FileManager.default.attributesOfItem(atPath: stripped)[.size] as? Int
            #expect(try #require(size) < 20_000_000)
            let libraries = try run("readelf", ["-d", stripped]).output.split(separator: "\n").filter {
                $0.contains("(NEEDED)")
            }
            // libfcgi0ldbl itself depends on libstdc++ and libgcc_s.
            let allowed = [
                "libc.so", "libm.so", "libfcgi.so", "libcurl.so", "libexpat.so", "ld-linux", "libstdc++.so",
                "libgcc_s.so",
            ]
            for line in libraries { #expect(allowed.contains { line.contains("[\($0)") }, "\(line)") }
        }
    }
}
