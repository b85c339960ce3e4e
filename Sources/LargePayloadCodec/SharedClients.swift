import AsyncHTTPClient
import NIOPosix
import Synchronization

/// The HTTP clients that all codecs of the process share: one for each proxy, and one for requests without a proxy.
///
/// They run as long as the process and are never shut down.
enum SharedClients {
    private static let clients = Mutex<[HTTPClient.Configuration.Proxy?: HTTPClient]>([:])

    static func client(through proxy: HTTPClient.Configuration.Proxy?) -> HTTPClient {
        clients.withLock { clients in
            if let client = clients[proxy] { return client }
            var configuration = HTTPClientTransport.configuration
            configuration.proxy = proxy
            // Not the platform's default: on macOS that is Network.framework, which has no client certificates.
            let client = HTTPClient(
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                configuration: configuration
            )
            clients[proxy] = client
            return client
        }
    }
}
