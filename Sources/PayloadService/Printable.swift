/// Text from outside made fit for a one-line message: bytes that are not UTF-8 become U+FFFD, control characters and
/// line separators are escaped.
func printable(_ bytes: some Collection<UInt8>) -> String {
    var line = ""
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: line += scalar.escaped(asASCII: true)
        default: line.unicodeScalars.append(scalar)
        }
    }
    return line
}
