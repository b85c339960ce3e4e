/// Makes untrusted text safe for a one-line message: replaces invalid UTF-8 by U+FFFD, escapes control characters and line
/// separators, and truncates text after 1024 bytes, which no valid value exceeds.
package func printable(_ bytes: some Collection<UInt8>) -> String {
    let longest = 1024
    var line = ""
    for scalar in String(decoding: bytes.prefix(longest), as: UTF8.self).unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: line += scalar.escaped(asASCII: true)
        default: line.unicodeScalars.append(scalar)
        }
    }
    return bytes.count > longest ? line + "…" : line
}
