import Foundation
import PayloadKey
import TestSupport
import Testing

/// `lps` on a bucket.
@Suite(.serialized, .runLimit) struct BucketToolTests {
    private let engine: any S3Engine
    private let bucket: Bucket
    private let content = randomPayload(5_000)

    init() throws {
        engine = try TestEngine.shared
        bucket = try Bucket(engine)
    }

    /// A store in a bucket, behind a prefix of its own, without a service.
    final class Bucket: Sendable {
        let engine: any S3Engine
        let folder: TemporaryFolder
        let prefix = UUID().uuidString

        init(_ engine: any S3Engine) throws {
            self.engine = engine
            folder = try TemporaryFolder()
        }

        var url: String { engine.storeURL(prefix: prefix) }
        /// Where `lps` keeps what it holds for a moment.
        var environment: [String: String] { engine.environment.merging(["TMPDIR": folder.path]) { $1 } }

        func lps(_ arguments: String...) throws -> (status: Int32, output: String) {
            try run(
                Project.binary("lps"),
                [arguments[0], "--store", url] + arguments.dropFirst(),
                environment: environment
            )
        }

        func put(_ content: [UInt8], namespace: String = "ns", prefix: String? = nil) throws -> String {
            let metadata = prefix.map { TemporalMetadata([(Array("remote-codec/key-prefix".utf8), Array($0.utf8))]) }
            let file = try TemporaryFolder()
            try write(content, to: file.file("content"))
            let header = Data((metadata?.json ?? "{}").utf8).base64EncodedString()
            let stored = try lps("put", file.file("content"), "--namespace", namespace, "--metadata", header)
            try #require(stored.status == 0, "\(stored.output)")
            return stored.output.trimmingCharacters(in: .newlines)
        }

        /// `nil` when it is not given.
        func get(_ key: String) throws -> [UInt8]? {
            let fetched = try TemporaryFolder()
            let command = "exec '\(Project.binary("lps"))' get --store '\(url)' '\(key)' > '\(fetched.file("x"))'"
            let status = try run("sh", ["-c", command], environment: environment).status
            return status == 0 ? try contents(of: fetched.file("x")) : nil
        }

        func keys() throws -> Set<String> {
            let listed = try lps("ls")
            try #require(listed.status == 0, "\(listed.output)")
            let keys = listed.output.split(separator: "\n").compactMap {
                $0.split(separator: " ").last.map(String.init)
            }
            #expect(Set(keys).count == keys.count)
            return Set(keys)
        }

        /// Puts other bytes in the place of a key's, past the service.
        func damage(_ key: String, _ content: [UInt8]) throws {
            var damaged = content
            damaged[damaged.count / 2] ^= 1
            try write(damaged, to: folder.file("damaged"))
            defer { unlink(folder.file("damaged")) }
            let script = "s3.upload_file(arguments[1], bucket, arguments[0])"
            try Boto3.run(script, engine, bucket: "payloads", prefix + key, folder.file("damaged"))
        }
    }

    private func json(_ result: (status: Int32, output: String)) throws -> [String: Any] {
        let line = try #require(result.output.split(separator: "\n").last { $0.hasPrefix("{") })
        return try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    @Test func `Payloads are stored, listed, summed up, told, given and deleted`() throws {
        let key = try bucket.put(content)
        let prefixed = try bucket.put(content, namespace: "other", prefix: "team/a")
        #expect(try bucket.keys() == [key, prefixed])
        let sums = try bucket.lps("du")
        #expect(sums.status == 0)
        #expect(sums.output.contains("other/team/a") && sums.output.contains("9.8 KiB"), "\(sums.output)")
        let told = try bucket.lps("stat", key)
        #expect(told.status == 0 && told.output.contains("5000 bytes") && told.output.contains("verified"))
        #expect(try bucket.get(prefixed) == content)
        #expect(try bucket.lps("ls", "--namespace", "other", "--prefix", "team").output.hasSuffix("\(prefixed)\n"))
        #expect(try bucket.lps("ls", "--namespace", "other", "--prefix", "tea").output.isEmpty)

        #expect(try bucket.lps("rm", key).status == 0)
        #expect(try bucket.get(key) == nil)
        for command in ["rm", "stat", "get"] {
            let answer = try bucket.lps(command, key)
            #expect(answer.status == 1)
            #expect(answer.output == "lps: \(key) is not stored\n" || answer.output.contains("\(key) is not stored"))
        }
        #expect(try bucket.keys() == [prefixed])
    }

    @Test func `What is for a store on a disk says so on a bucket`() throws {
        for arguments in [["undelete"], ["quota"], ["export"], ["gc", "--older-than", "30d", "--keep-trash", "1d"]] {
            let answer = try run(
                Project.binary("lps"),
                [arguments[0], "--store", bucket.url] + arguments.dropFirst(),
                environment: bucket.environment
            )
            #expect(answer.status != 0, "\(arguments)")
            #expect(answer.output.contains("a store on a disk"), "\(arguments): \(answer.output)")
        }
    }

    /// An engine that makes all objects look years old when they are listed, and when they are asked for, too.
    private func aging(alone isAlone: Bool) throws -> BucketFront {
        let year = Calendar(identifier: .gregorian).component(.year, from: Date())
        let listed = "<LastModified>\(year)"
        let asked = "proxy_hide_header Last-Modified; add_header Last-Modified 'Sun, 01 Nov 2020 00:00:00 GMT';"
        return try BucketFront(
            engine,
            """
            sub_filter_types application/xml;
            sub_filter_once off;
            sub_filter "\(listed)" "<LastModified>\(year - 4)";
            \(isAlone ? "" : asked)
            """
        )
    }

    private func collect(_ front: BucketFront, _ more: String...) throws -> (status: Int32, output: String) {
        try run(
            Project.binary("lps"),
            ["gc", "--store", front.storeURL("payloads/\(bucket.prefix)"), "--json"] + more,
            environment: bucket.environment
        )
    }

    @Test func `Only what is old enough is collected, as the policy says`() throws {
        let front = try aging(alone: false)
        let (old, kept) = (try bucket.put(content), try bucket.put(content, namespace: "kept"))
        let policy = bucket.folder.file("policy")
        try write("[kept]\nretention = 9000d\n".utf8, to: policy)
        #expect(try json(bucket.lps("gc", "--older-than", "30d", "--json"))["keys"] as? Int == 0)
        #expect(try collect(front, "--older-than", "2h").status != 0)
        let foreseen = try collect(front, "--older-than", "30d", "--policy", policy, "--dry-run")
        #expect(try json(foreseen)["keys"] as? Int == 1)
        #expect(try bucket.keys() == [old, kept])
        let collected = try collect(front, "--older-than", "30d", "--policy", policy)
        #expect(collected.status == 0, "\(collected.output)")
        #expect(try json(collected)["keys"] as? Int == 1)
        #expect(try json(collected)["logicalBytes"] as? Int == content.count)
        #expect(try bucket.keys() == [kept])
    }

    @Test func `What was renewed since it was listed is not collected`() throws {
        let key = try bucket.put(content)
        let collected = try collect(aging(alone: true), "--older-than", "30d")
        #expect(collected.status == 0, "\(collected.output)")
        #expect(try json(collected)["keys"] as? Int == 0)
        #expect(try bucket.keys() == [key])
    }

    @Test func `A scrub moves what is damaged to quarantine, tells strays, and an upload heals`() throws {
        let key = try bucket.put(content)
        let whole = try bucket.put(randomPayload(3_000_000))
        #expect(try bucket.lps("scrub").status == 0)
        try bucket.damage(key, content)
        let note = "\(bucket.prefix)/blobs/ns/note"
        try Boto3.run("s3.put_object(Bucket=bucket, Key=arguments[0], Body=b'x')", engine, bucket: "payloads", note)
        for command in ["stat", "get"] {
            let answer = try bucket.lps(command, key)
            #expect(answer.status == 1 && answer.output.contains("damaged"), "\(answer.output)")
        }
        let found = try bucket.lps("scrub")
        #expect(found.status == 1)
        #expect(found.output.contains("damaged: ") && found.output.contains("lost: \(key)"), "\(found.output)")
        #expect(found.output.contains("stray: ") && found.output.contains("blobs/ns/note"), "\(found.output)")
        #expect(found.output.contains("1 damaged, 1 other findings, 1 mended"), "\(found.output)")
        #expect(try bucket.keys() == [whole])
        let objects = try Boto3.run(
            "for object in s3.list_objects_v2(Bucket=bucket, Prefix=arguments[0])['Contents']: print(object['Key'])",
            engine,
            bucket: "payloads",
            bucket.prefix
        )
        #expect(objects.contains("\(bucket.prefix)/quarantine/\(key.dropFirst("/blobs/".count))"), "\(objects)")
        #expect(try bucket.put(content) == key)
        #expect(try bucket.get(key) == content)
    }

    /// From which kind of store to which.
    enum Way: CaseIterable {
        case diskToBucket, bucketToDisk, bucketToBucket
    }

    private func copy(_ source: String, _ destination: String, _ more: String...) throws -> (Int32, output: String) {
        try run(
            Project.binary("lps"),
            ["copy", source, destination, "--json"] + more,
            environment: bucket.environment
        )
    }

    @Test(arguments: Way.allCases)
    func `Payloads are copied, a damaged one is left out, and a copy that is run again takes what is new`(way: Way)
        throws
    {
        let disks = (try LocalStore(), try LocalStore())
        let others = try Bucket(engine)
        let source = way == .diskToBucket ? disks.0.path : others.url
        let destination = way == .bucketToDisk ? disks.1.path : bucket.url
        var payloads: [String: [UInt8]] = [:]
        for (index, size) in [0, 1, 5_000, 3_000_000, 100].enumerated() {
            let (content, prefix) = (randomPayload(size), index == 2 ? "team/a" : nil)
            let key =
                way == .diskToBucket
                ? "\(try disks.0.put(content, "a b", prefix: prefix))"
                : try others.put(content, namespace: "a b", prefix: prefix)
            payloads[key] = content
        }
        let damaged = try #require(payloads.first { $0.value.count == 100 })
        if way == .diskToBucket {
            try disks.0.damage(PayloadKey(parsing: damaged.key.utf8).unsafelyUnwrapped)
        } else {
            try others.damage(damaged.key, damaged.value)
        }
        func expectCopied(_ expected: [String: [UInt8]]) throws {
            for (key, content) in expected {
                let copied =
                    way == .bucketToDisk
                    ? try disks.1.get(PayloadKey(parsing: key.utf8).unsafelyUnwrapped) : try bucket.get(key)
                let isWhole = copied == content
                #expect(isWhole, "\(key)")
            }
        }

        let first = try copy(source, destination)
        #expect(first.0 == 1)
        #expect(first.output.contains("\(damaged.key) is not copied"), "\(first.output)")
        let counts = try json((first.0, first.output))
        #expect(counts["copied"] as? Int == 4 && counts["failed"] as? Int == 1 && counts["present"] as? Int == 0)
        #expect(counts["bytes"] as? Int == 3_005_001)
        payloads[damaged.key] = nil
        try expectCopied(payloads)

        let new = randomPayload(10)
        let key = way == .diskToBucket ? "\(try disks.0.put(new, "n"))" : try others.put(new, namespace: "n")
        let second = try json(copy(source, destination, "--namespace", "n"))
        #expect(second["copied"] as? Int == 1 && second["present"] as? Int == 0)
        let third = try json(copy(source, destination))
        #expect(third["copied"] as? Int == 0 && third["present"] as? Int == 5 && third["failed"] as? Int == 1)
        try expectCopied([key: new])
    }

    @Test(arguments: Way.allCases)
    func `A copy that was killed goes on where it was`(way: Way) throws {
        let disks = (try LocalStore(), try LocalStore())
        let others = try Bucket(engine)
        let contents = (0..<300).map { _ in randomPayload(20_000) }
        for content in contents { try disks.0.put(content, "ns") }
        if way != .diskToBucket { #expect(try copy(disks.0.path, others.url).0 == 0) }
        let source = way == .diskToBucket ? disks.0.path : others.url
        let destination = way == .bucketToDisk ? disks.1.path : bucket.url
        func keys() throws -> Set<String> {
            way == .bucketToDisk ? Set(try disks.1.keys().map(\.description)) : try bucket.keys()
        }

        let victim = try ChildProcess(
            Project.binary("lps"),
            ["copy", source, destination, "--parallel", "2"],
            environment: bucket.environment,
            log: bucket.folder.file("victim")
        )
        try eventually("some are copied") { try !keys().isEmpty }
        victim.signal(SIGKILL)
        #expect(victim.wait() == -SIGKILL, "\(victim.log)")
        // The engine ends what the killed process has sent it.
        var before: Set<String> = []
        try eventually("no more come") {
            let last = before
            before = try keys()
            usleep(300_000)
            return before == last
        }
        #expect((1..<300).contains(before.count))

        let result = try json(copy(source, destination))
        #expect(result["present"] as? Int == before.count)
        #expect(result["copied"] as? Int == 300 - before.count)
        #expect(try keys() == Set(contents.map { try LocalStore.key($0, "ns").description }))
        let scrubbed = try run(
            Project.binary("lps"),
            ["scrub", "--store", destination],
            environment: bucket.environment
        )
        #expect(scrubbed.status == 0, "\(scrubbed.output)")
    }

    @Test func `Looking through ten thousand payloads takes no more memory than through a hundred`() throws {
        func peak(_ arguments: String...) throws -> (kibibytes: Int, output: String) {
            let report = bucket.folder.file("memory")
            let command = [Project.binary("lps"), arguments[0], "--store", bucket.url] + arguments.dropFirst()
            let result = try run(
                "time",
                ["-q", "-f", "%M", "-o", report] + command,
                environment: bucket.environment
            )
            #expect(result.status == 0, "\(result.output.suffix(1_000))")
            let text = try String(contentsOfFile: report, encoding: .utf8)
            return (try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines))), result.output)
        }
        try fill(0..<100)
        let few = try peak("ls")
        #expect(few.output.split(separator: "\n").count == 100)
        try fill(100..<10_000)
        let many = try peak("ls")
        let count = many.output.split(separator: "\n").count
        #expect(count == 10_000)
        // The keys alone would be 2 MiB, a page of a thousand is 400 KiB.
        #expect(many.kibibytes - few.kibibytes < 4 << 10, "\(few.kibibytes), \(many.kibibytes) KiB")
    }

    /// Puts an object under so many payloads' keys, with one curl.
    private func fill(_ numbers: Range<Int>) throws {
        let (file, content) = (bucket.folder.file("object"), [UInt8(1)])
        try write(content, to: file)
        let digest = Stack.digest(content).dropFirst("sha256:".count)
        let commands = numbers.map { number in
            let digest = String(repeating: "0", count: 64 - String(number).count) + String(number)
            let name = "sha256%3A\(digest)"
            let url = "\(engine.endpoint)/payloads/\(bucket.prefix)/blobs/ns/common/\(name)/\(name)"
            return "url = \"\(url)\"\nupload-file = \"\(file)\"\noutput = \"/dev/null\"\n"
        }
        try write(commands.joined().utf8, to: bucket.folder.file("uploads"))
        let filled = try run(
            "curl",
            [
                "-sS", "--fail", "--path-as-is", "--parallel", "--parallel-max", "8", "--aws-sigv4",
                "aws:amz:\(engine.region):s3", "-H", "x-amz-content-sha256: \(digest)", "--user",
                "\(engine.accessKey):\(engine.secretKey)", "-K", bucket.folder.file("uploads"),
            ]
        )
        try #require(filled.status == 0, "\(filled.output.prefix(300))")
    }
}
