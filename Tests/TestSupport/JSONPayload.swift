import Foundation
import Testing

/// A payload in protobuf's JSON mapping, as the codec server reads and writes it.
package struct JSONPayload: Codable, Equatable, Sendable {
    package struct External: Codable, Equatable, Sendable {
        package let sizeBytes: String

        package init(sizeBytes: String) { self.sizeBytes = sizeBytes }
    }

    package var metadata: [String: Data]
    package var data: Data
    package var externalPayloads: [External]?

    package init(_ data: [UInt8], metadata: [String: String] = ["encoding": "binary/plain"]) {
        self.data = Data(data)
        self.metadata = metadata.mapValues { Data($0.utf8) }
    }
}

package struct JSONPayloads: Codable, Equatable, Sendable {
    package var payloads: [JSONPayload]

    package init(_ payloads: [JSONPayload]) { self.payloads = payloads }

    package init(_ answer: HTTPAnswer) throws {
        #expect(answer.status == 200, "\(answer.text.prefix(300))")
        #expect(answer.headers["content-type"] == "application/json")
        self = try JSONDecoder().decode(JSONPayloads.self, from: Data(answer.body))
    }

    package var json: [UInt8] {
        get throws { Array(try JSONEncoder().encode(self)) }
    }
}
