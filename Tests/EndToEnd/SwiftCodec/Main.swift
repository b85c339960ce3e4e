import Foundation
import LargePayloadCodec

/// Runs the Swift library for the end-to-end tests: reads payloads as JSON from standard input and writes the converted
/// ones. Usage: `end-to-end-codec encode|decode URL NAMESPACE`
@main
enum Main {
    /// A payload in protobuf's JSON mapping.
    struct Payload: TemporalPayload, Codable {
        var metadata: [String: Data] = [:]
        var data = Data()

        // Protobuf omits empty fields.
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            metadata = try container.decodeIfPresent([String: Data].self, forKey: .metadata) ?? [:]
            data = try container.decodeIfPresent(Data.self, forKey: .data) ?? Data()
        }
    }

    struct Payloads: Codable {
        var payloads: [Payload]
    }

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4 else {
            FileHandle.standardError.write(Data("usage: end-to-end-codec encode|decode URL NAMESPACE\n".utf8))
            exit(EX_USAGE)
        }
        let codec = try await LargePayloadCodec(.init(url: arguments[2], namespace: arguments[3]))
        let input = try FileHandle.standardInput.readToEnd() ?? Data()
        let given = try JSONDecoder().decode(Payloads.self, from: input).payloads
        let payloads =
            if arguments[1] == "encode" {
                try await codec.encode(payloads: given)
            } else {
                try await codec.decode(payloads: given)
            }
        FileHandle.standardOutput.write(try JSONEncoder().encode(Payloads(payloads: payloads)))
    }
}
