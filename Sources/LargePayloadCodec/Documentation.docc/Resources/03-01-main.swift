import GRPCNIOTransportHTTP2Posix
import Logging
import Temporal

@Workflow
struct CountLetters {
    mutating func run(context: WorkflowContext<Self>, input: String) async throws -> Int {
        input.count
    }
}

@main
enum Main {
    static func main() async throws {
        let dataConverter = try await makeDataConverter(token: "secret")
        let worker = try TemporalWorker(
            configuration: .init(
                namespace: "default",
                taskQueue: "orders",
                instrumentation: .init(serverHostname: "127.0.0.1"),
                dataConverter: dataConverter
            ),
            target: .ipv4(address: "127.0.0.1", port: 7233),
            transportSecurity: .plaintext,
            workflows: [CountLetters.self],
            logger: Logger(label: "worker")
        )
        let client = try TemporalClient(
            target: .ipv4(address: "127.0.0.1", port: 7233),
            transportSecurity: .plaintext,
            configuration: .init(
                instrumentation: .init(serverHostname: "127.0.0.1"),
                dataConverter: dataConverter
            ),
            logger: Logger(label: "client")
        )
        try await withThrowingTaskGroup { group in
            group.addTask { try await worker.run() }
            group.addTask { try await client.run() }
            let letters = try await client.executeWorkflow(
                type: CountLetters.self,
                options: .init(id: "count-letters", taskQueue: "orders"),
                input: String(repeating: "a", count: 5_000_000)
            )
            print(letters)
            group.cancelAll()
        }
    }
}
