import ArgumentParser
import PayloadKey
import Storage

/// The selection of keys: `--namespace` and `--prefix`.
struct SelectionOptions: ParsableArguments {
    @Option("Select only keys of this Temporal namespace.", value: "name")
    var namespace: String?

    @Option("Select only keys whose prefix begins with these parts.", value: "prefix")
    var prefix: String?

    func selection() throws -> KeySelection {
        try KeySelection(
            namespace: namespace.map(parseNamespace),
            prefix: prefix.map { try parsePrefix($0.utf8) }
        )
    }
}

func parseNamespace(_ name: String) throws -> Namespace {
    do {
        return try Namespace(validating: name.utf8)
    } catch {
        throw ValidationError("--namespace '\(name)': \(error)")
    }
}

func parsePrefix(_ text: some Collection<UInt8>) throws -> KeyPrefix {
    guard let prefix = KeyPrefix(validating: text) else {
        throw ValidationError("'\(String(decoding: text, as: UTF8.self))' is not a valid prefix")
    }
    return prefix
}

func parseKey(_ text: String) throws -> PayloadKey {
    guard let key = PayloadKey(parsing: text.utf8) else {
        throw ValidationError(
            "'\(text)' is not a key: /blobs/<namespace>/common/sha256:<digest>/sha256:<metadata hash>, "
                + "or custom/<prefix> instead of common"
        )
    }
    return key
}
