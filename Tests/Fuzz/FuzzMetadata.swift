import Encoding
import PayloadKey

/// Tests the metadata header and its JSON: written metadata parses to the same value with the same hash.
func fuzzMetadata(_ text: [UInt8]) {
    for header in [text, Array(StandardBase64.encode(text).utf8)] {
        guard let metadata = try? TemporalMetadata(header: header) else { continue }
        let names = metadata.entries.map(\.name)
        precondition(zip(names, names.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
        guard let again = try? TemporalMetadata(header: Array(metadata.header.utf8)) else {
            preconditionFailure("written metadata was not parsed")
        }
        precondition(again == metadata && again.hash == metadata.hash)
    }
}
