import Foundation

/// Imitates what the SDK's `DefaultPayloadConverter` does with bytes and with unknown encodings.
package struct DefaultPayloadConverter: PayloadConverter {
    /// Like the SDK's, it has no message.
    private struct DecodingError: Error {}
    private struct EncodingError: Error {}

    package init() {}

    package func convertValue(_ value: some Any) throws -> Api.Common.V1.Payload {
        guard let data = value as? Data else { throw EncodingError() }
        var payload = Api.Common.V1.Payload()
        payload.metadata = ["encoding": Data("binary/plain".utf8)]
        payload.data = data
        return payload
    }

    package func convertPayload<Value>(_ payload: Api.Common.V1.Payload, as valueType: Value.Type) throws -> Value {
        guard payload.metadata["encoding"] == Data("binary/plain".utf8), let value = payload.data as? Value else {
            throw DecodingError()
        }
        return value
    }
}

/// Imitates the poll loop of the SDK's `WorkflowWorker` (1.1) with workflows that return a value for their argument.
package struct WorkflowWorker<Codec: PayloadCodec, Converter: PayloadConverter>: Sendable {
    /// The first activation of a workflow.
    package struct Activation: Sendable {
        package let runID: String
        package var argument: Api.Common.V1.Payload

        package init(runID: String, argument: Api.Common.V1.Payload) {
            self.runID = runID
            self.argument = argument
        }
    }

    package enum Completion: Sendable, Equatable {
        case successful(Api.Common.V1.Payload)
        /// The server repeats the workflow task, and shows this message.
        case failed(message: String)
    }

    private let codec: Codec
    private let converter: Converter
    private let workflow: @Sendable (Data) -> Data

    package init(_ codec: Codec, _ converter: Converter, workflow: @escaping @Sendable (Data) -> Data = { $0 }) {
        self.codec = codec
        self.converter = converter
        self.workflow = workflow
    }

    /// Handles activations until the worker ends.
    ///
    /// - Returns: The completions that reached the server, by run, and the error that ended the worker.
    package func run(_ activations: [Activation]) async -> (completions: [String: Completion], end: (any Error)?) {
        await withTaskGroup(of: (String, Completion?).self) { group in
            var end: (any Error)?
            do {
                for var activation in activations {
                    // Outside of the task of the workflow, so its error ends the loop.
                    activation.argument = try await codec.decode(payload: activation.argument)
                    group.addTask { [activation] in (activation.runID, await completion(of: activation)) }
                }
            } catch {
                end = error
            }
            var completions: [String: Completion] = [:]
            for await (runID, completion) in group { completions[runID] = completion }
            return (completions, end)
        }
    }

    /// - Returns: `nil` if the completion could not be sent: the SDK only logs that, and the workflow hangs.
    private func completion(of activation: Activation) async -> Completion? {
        do {
            let argument = try converter.convertPayload(activation.argument, as: Data.self)
            let result = try converter.convertValue(workflow(argument))
            do {
                return .successful(try await codec.encode(payload: result))
            } catch {
                return nil
            }
        } catch {
            return .failed(message: "\(error)")
        }
    }
}
