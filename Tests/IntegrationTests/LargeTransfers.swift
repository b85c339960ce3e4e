import Foundation
import TestSupport
import Testing

/// Large payloads on their way, whatever the store is.
extension Stack {
    private func curl(_ arguments: [String], _ target: String) throws -> String {
        let common = ["-sS", "--unix-socket", httpSocket, "-H", "Content-Type: application/octet-stream"]
        return try run("curl", common + arguments + ["http://localhost" + target]).output
    }

    private func curlPut(_ file: String, digest: String, _ arguments: [String]) throws -> String {
        try curl(
            arguments + ["-H", "X-Temporal-Metadata: e30=", "-T", file],
            Self.putTarget(namespace: "ns", digest: digest)
        )
    }

    private func curlGet(_ key: String, length: Int, _ arguments: [String]) throws -> String {
        try curl(arguments + ["-H", "X-Payload-Expected-Content-Length: \(length)"], Self.getTarget(key))
    }

    /// Stores a payload of so many MiB and fetches it, and makes sure that it is whole.
    func expectWhole(mebibytes: Int) throws {
        let file = folder.file("large")
        let piece = Data(randomPayload(1 << 20))
        try write([], to: file)
        let output = try #require(FileHandle(forWritingAtPath: file))
        for _ in 0..<mebibytes { try output.write(contentsOf: piece) }
        try output.close()
        let sum = try run("sha256sum", [file]).output.prefix(64)
        let put = try curlPut(file, digest: "sha256:\(sum)", ["-w", "%{http_code}"])
        #expect(put.hasSuffix("201"), "\(put)")
        let key = try Stack.key(Array(put.dropLast(3).utf8))
        let fetched = folder.file("fetched")
        let get = try curlGet(key, length: mebibytes << 20, ["-o", fetched])
        #expect(get.isEmpty, "\(get)")
        #expect(try run("cmp", [file, fetched]).status == 0)
    }

    /// Runs 16 uploads and 16 downloads of so many bytes at once.
    ///
    /// - Returns: the most resident memory that a worker had, in KiB.
    func peakOfTransfers(of size: Int) throws -> Int {
        let payload = randomPayload(size)
        let stored = try Stack.key(put(payload))
        let files = try (0..<16).map { index in
            let path = folder.file("upload-\(index)")
            try write(payload.dropLast() + [UInt8(index)], to: path)
            return path
        }
        let digests = try run("sha256sum", files).output.split(separator: "\n").map { "sha256:" + $0.prefix(64) }
        let peak = Counter()
        let workers = workers
        // VmHWM (proc(5)): the most that it ever had.
        @Sendable func look() { peak.raise(to: workers.compactMap { $0.status("VmHWM") }.max() ?? 0) }
        try concurrently(32) { index in
            let told = ["-o", "/dev/null", "-w", "%{http_code} %{size_download}"]
            if index < 16 {
                let put = try self.curlPut(files[index], digest: digests[index], told)
                #expect(put.hasPrefix("201 "), "\(put)")
            } else {
                let get = try self.curlGet(stored, length: size, told)
                #expect(get == "200 \(size)")
            }
            look()
        }
        look()
        #expect(peak.value > 0)
        return peak.value
    }
}
