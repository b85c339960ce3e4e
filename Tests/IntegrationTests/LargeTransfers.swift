import Foundation
import TestSupport
import Testing

/// Transfers of large payloads, with any kind of store.
extension Stack {
    private func curl(_ arguments: [String], _ target: String) -> [String] {
        let common = ["-sS", "--unix-socket", httpSocket, "-H", "Content-Type: application/octet-stream"]
        return common + arguments + ["http://localhost" + target]
    }

    private func upload(_ file: String, digest: String, _ arguments: [String]) throws -> String {
        let target = Self.putTarget(namespace: "ns", digest: digest)
        return try run("curl", curl(arguments + ["-H", "X-Temporal-Metadata: e30=", "-T", file], target)).output
    }

    private func fetching(_ key: String, length: Int, _ arguments: [String] = []) -> [String] {
        curl(arguments + ["-H", "X-Payload-Expected-Content-Length: \(length)"], Self.getTarget(key))
    }

    /// Computed by OpenSSL, which uses the processor's SHA instructions if it has any.
    private func digests(_ files: [String]) throws -> [String] {
        let sums = try run("openssl", ["dgst", "-sha256", "-r"] + files).output
        return sums.split(separator: "\n").map { "sha256:" + $0.prefix(64) }
    }

    /// Stores a payload of this size, fetches it and compares the bytes.
    func expectWhole(mebibytes: Int) throws {
        // Mostly holes, which take no time to write. No two mebibytes are equal.
        let path = folder.file("large")
        try write([], to: path)
        let file = try #require(FileHandle(forWritingAtPath: path))
        for mebibyte in 0..<mebibytes {
            try file.seek(toOffset: UInt64(mebibyte << 20))
            try file.write(contentsOf: randomPayload(16))
        }
        try file.truncate(atOffset: UInt64(mebibytes << 20))
        try file.close()
        let put = try upload(path, digest: digests([path])[0], ["-w", "%{http_code}"])
        #expect(put.hasSuffix("201"), "\(put)")
        let key = try Stack.key(Array(put.dropLast(3).utf8))
        let compared = try run("sh", ["-c", #"curl "$@" | cmp - "$0""#, path] + fetching(key, length: mebibytes << 20))
        #expect(compared.status == 0 && compared.output.isEmpty, "\(compared.output)")
    }

    /// Runs 16 uploads and 16 downloads of `size` bytes at once.
    ///
    /// - Returns: the peak resident memory of any worker, in KiB.
    func peakOfTransfers(of size: Int) throws -> Int {
        let payload = randomPayload(size)
        let stored = try Stack.key(put(payload))
        let files = try (0..<16).map { index in
            let path = folder.file("upload-\(index)")
            try write(payload.dropLast() + [UInt8(index)], to: path)
            return path
        }
        let digests = try digests(files)
        let peak = Counter()
        let workers = workers
        // VmHWM is the peak (proc(5)).
        @Sendable func look() { peak.raise(to: workers.compactMap { $0.status("VmHWM") }.max() ?? 0) }
        try concurrently(32) { index in
            let told = ["-o", "/dev/null", "-w", "%{http_code} %{size_download}"]
            if index < 16 {
                let put = try self.upload(files[index], digest: digests[index], told)
                #expect(put.hasPrefix("201 "), "\(put)")
            } else {
                let get = try run("curl", self.fetching(stored, length: size, told)).output
                #expect(get == "200 \(size)")
            }
            look()
        }
        look()
        #expect(peak.value > 0)
        return peak.value
    }
}
