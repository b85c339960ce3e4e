import Encoding
import Logging
import Storage

/// `HEAD /v2/health/head`: checks that the store can store and return a payload.
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
