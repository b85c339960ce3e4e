import Encoding
import Logging
import Storage

/// `HEAD /v2/health/head`: whether the store can take a payload and give it back.
struct HealthEndpoint {
    let store: any PayloadStorage
    let logger: Logger

    func respond() throws -> ServiceResponse {
        do {
            try store.checkHealth()
            return ServiceResponse(.ok)
        } catch {
            logger.error("store unhealthy", metadata: ["error": "\(error)"])
            throw Refusal(.serviceUnavailable, printable("\(error)".utf8))
        }
    }
}
