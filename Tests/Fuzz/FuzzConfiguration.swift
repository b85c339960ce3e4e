import EnvironmentFile

/// Tests the configuration file: an error is one line that names the file, and a quoted value is read unchanged.
func fuzzConfiguration(_ text: [UInt8]) {
    do {
        let file = try EnvironmentFile(path: "worker.conf", text: text)
        for name in file.names {
            precondition(
                !name.isEmpty && name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "=") }
            )
            precondition(file[name]?.isEmpty != true)
        }
    } catch {
        precondition(error.description.utf8.starts(with: "worker.conf, line ".utf8))
        precondition(!error.description.utf8.contains { $0 < 0x20 || $0 == 0x7F })
    }
    guard let text = String(validating: text, as: UTF8.self) else { return }
    let value = String(decoding: text.utf8.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    var quoted = ""
    for scalar in value.unicodeScalars {
        if scalar == "\"" || scalar == "\\" { quoted.unicodeScalars.append("\\") }
        quoted.unicodeScalars.append(scalar)
    }
    let file = try? EnvironmentFile(path: "worker.conf", text: " LPS_NAME = \"\(quoted)\"\t\n;".utf8)
    guard let file else { preconditionFailure("a quoted value was not read") }
    precondition(Array((file["LPS_NAME"] ?? "").utf8) == Array(value.utf8))
}
