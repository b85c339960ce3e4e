import Testing

@testable import FastCGI

@Suite struct ListenAddressTests {
    @Test(
        arguments: [
            ("/run/lps/lps.sock", .unix(path: "/run/lps/lps.sock")), ("unix:/a", .unix(path: "/a")),
            ("./a", .unix(path: "./a")),
            ("127.0.0.1:9000", .tcp(host: "127.0.0.1", port: 9000)), ("[::1]:9000", .tcp(host: "::1", port: 9000)),
            ("*:9000", .tcp(host: "", port: 9000)), (":9000", .tcp(host: "", port: 9000)),
        ] as [(String, ListenAddress)]
    )
    func `A path means a unix socket, and host and port a TCP socket`(text: String, address: ListenAddress) {
        #expect(ListenAddress(parsing: text) == address)
    }

    @Test(arguments: ["", "lps.sock", "9000", "host:", "host:0", "host:65536", "host:-1", "::1:9000", "unix:"])
    func `Other addresses are refused`(text: String) {
        #expect(ListenAddress(parsing: text) == nil)
    }
}
