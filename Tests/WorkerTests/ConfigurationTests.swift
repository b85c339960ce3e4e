import ArgumentParser
import EnvironmentFile
import Testing

@testable import lps_worker

@Suite struct ConfigurationTests {
    private func configuration(_ arguments: [String], _ environment: [String: String] = [:]) throws -> Configuration {
        try Configuration(Settings.parse(arguments), environment: Environment { environment[$0] })
    }

    @Test func `The store is the only required setting`() throws {
        let configuration = try configuration(["--store", "/s"])
        #expect(configuration.settings.store.value == "/s")
        #expect(configuration.settings.listen.value == nil)
        #expect(configuration.settings.threads.value == 16)
        #expect(configuration.settings.maxPayload.value == 1_073_741_824)
        #expect(configuration.settings.reserve.value == nil)
        #expect(configuration.access.mode == 0o660)
    }

    @Test func `Every option can be an environment variable, and the option overrides it`() throws {
        let environment = [
            "LPS_STORE": "/e", "LPS_LISTEN": "127.0.0.1:9000", "LPS_THREADS": "3", "LPS_MAX_PAYLOAD": "5m",
            "LPS_RESERVE": "0",
            "LPS_LOG_LEVEL": "debug", "LPS_LISTEN_MODE": "0600", "LPS_LISTEN_OWNER": "root", "LPS_LISTEN_GROUP": "0",
        ]
        let configuration = try configuration(["--threads", "4"], environment)
        #expect(configuration.settings.store.value == "/e")
        #expect(configuration.settings.listen.value == .tcp(host: "127.0.0.1", port: 9000))
        #expect(configuration.settings.threads.value == 4)
        #expect(configuration.settings.maxPayload.value == 5 << 20)
        #expect(configuration.settings.reserve.value == 0)
        #expect(configuration.settings.logLevel.value == .debug)
        #expect(configuration.access.mode == 0o600)
        #expect(configuration.access.owner == 0)
        #expect(configuration.access.group == 0)
    }

    @Test(
        arguments: [
            ("THREADS", "0"), ("THREADS", "1025"), ("THREADS", "many"), ("MAX_PAYLOAD", "-1"), ("MAX_PAYLOAD", "1t"),
            ("RESERVE", "1 g"), ("LISTEN", "9000"), ("LISTEN_MODE", "0888"), ("LISTEN_MODE", "7777"),
            ("LISTEN_OWNER", "no such user"), ("LISTEN_GROUP", "no such group"), ("LOG_LEVEL", "loud"),
            ("CODEC_NEXT", "host:80"),
        ]
    )
    func `An error names the wrong value, its option and its variable`(name: String, value: String) throws {
        let error = try #require(throws: ConfigurationError.self) {
            try configuration(["--store", "/s"], ["LPS_" + name: value])
        }
        #expect(error.description.contains("(LPS_\(name)) is '\(value)', expected"))
    }

    @Test func `A missing or empty store is refused`() {
        #expect(throws: ConfigurationError.self) { try configuration([]) }
        #expect(throws: ConfigurationError.self) { try configuration([], ["LPS_STORE": ""]) }
    }
}
