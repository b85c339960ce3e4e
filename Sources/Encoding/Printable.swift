/// Text from outside made fit for a one-line message: bytes that are not UTF-8 become U+FFFD, control characters and
/// line separators are escaped, and what is longer than any valid value is cut.
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
