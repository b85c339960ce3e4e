import Logging

/// Logs to standard error, one line an event: `level=notice msg="…" key=value …`. Standard error goes to journald under
/// systemd, which adds time and process.
///
/// Values from outside can't break a line or fake a field: what is not plain is quoted, and controls are escaped.
struct LogfmtHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    /// Whether a line begins with its priority, as journald reads it (sd-daemon(3)): `<5>`.
    let hasPriority: Bool
    private let level: Current<Logger.Level>

    init(_ level: Current<Logger.Level> = Current(.info), hasPriority: Bool = false) {
        self.level = level
        self.hasPriority = hasPriority
    }

    /// The same for every logger of the process.
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
        if let id = RequestContext.requestID { fields["request_id"] = "\(id)" }
        let texts = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.quoted("\($0.value)"))" }
        let line = ["level=\(event.level)", "msg=\(Self.quoted("\(event.message)"))"] + texts
        writeLine((hasPriority ? Self.priority(event.level) : "") + line.joined(separator: " "))
    }

    /// syslog(3)'s numbers.
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
