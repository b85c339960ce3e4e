import Logging

/// Logs one line per event to standard error: `level=notice msg="…" key=value …`. Under systemd, journald adds time and
/// process.
///
/// Clients can't break a line or forge a field: values that are not plain are quoted, and control characters escaped.
struct LogfmtHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    /// Whether each line begins with a priority for journald (sd-daemon(3)), such as `<5>`.
    let hasPriority: Bool
    private let level: Current<Logger.Level>

    init(_ level: Current<Logger.Level> = Current(.info), hasPriority: Bool = false) {
        self.level = level
        self.hasPriority = hasPriority
    }

    /// All loggers of the process share this level.
    var logLevel: Logger.Level {
        get { level.value }
        set { level.value = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata.merging(event.metadata ?? [:]) { $1 }
        if let id = RequestContext.current.requestID {
            fields["request_id"] = "\(String(decoding: id, as: UTF8.self))"
        }
        let texts = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.quoted("\($0.value)"))" }
        let line = ["level=\(event.level)", "msg=\(Self.quoted("\(event.message)"))"] + texts
        writeLine((hasPriority ? Self.priority(event.level) : "") + line.joined(separator: " "))
    }

    /// The level's number in syslog(3), in angle brackets.
    static func priority(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "<7>"
        case .info: "<6>"
        case .notice: "<5>"
        case .warning: "<4>"
        case .error: "<3>"
        case .critical: "<2>"
        }
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
