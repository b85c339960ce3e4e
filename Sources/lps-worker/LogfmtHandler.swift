import Logging

/// Logs to standard error, one line an event: `level=notice msg="…" key=value …`. Standard error goes to journald under
/// systemd, which adds time and process.
///
/// Values from outside can't break a line or fake a field: what is not plain is quoted, and controls are escaped.
struct LogfmtHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let texts = fields.map { "\($0.key)=\(Self.quoted("\($0.value)"))" }
        writeLine((["level=\(event.level)", "msg=\(Self.quoted("\(event.message)"))"] + texts).joined(separator: " "))
    }

    static func quoted(_ value: String) -> String {
        let isPlain =
            !value.isEmpty
            && value.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII && scalar.value > 0x20 && scalar.value < 0x7F && scalar != "\"" && scalar != "\\"
                    && scalar != "="
            }
        if isPlain { return value }
        var quoted = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.properties.generalCategory == .control: quoted += scalar.escaped(asASCII: true)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
