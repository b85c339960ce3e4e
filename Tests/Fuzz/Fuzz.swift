import Glibc

// Feeds input from libFuzzer (llvm.org/docs/LibFuzzer.html) to the parser that the environment variable FUZZ_TARGET
// names; see 'make fuzz'.

/// Parses a text, and traps if an invariant does not hold. Refusing the text is fine.
typealias FuzzTarget = @Sendable ([UInt8]) throws -> Void

private let targets: [String: FuzzTarget] = [
    "query": fuzzQuery, "key": fuzzKey, "metadata": fuzzMetadata, "names": fuzzNames, "ranges": fuzzRanges,
    "json": fuzzJSON, "codec": fuzzCodec, "upload": fuzzUpload, "fastcgi": fuzzFastCGI,
    "configuration": fuzzConfiguration, "policy": fuzzPolicy, "tar": fuzzTar,
]

private let target: FuzzTarget = {
    guard let name = getenv("FUZZ_TARGET"), let target = targets[String(cString: name)] else {
        print("FUZZ_TARGET must be one of", targets.keys.sorted().joined(separator: ", "))
        exit(64)
    }
    return target
}()

/// Called by libFuzzer's `main` with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    try? target([UInt8](UnsafeBufferPointer(start: bytes, count: size)))
    return 0
}
