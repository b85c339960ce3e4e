/// A request to the endpoints, independent of the protocol. Values from clients stay bytes until they are validated.
public struct ServiceRequest {
    /// A value as it arrived, usually a slice of one buffer that holds all values of the request.
    public typealias Bytes = ArraySlice<UInt8>

    /// Reads the next bytes of a body into the buffer, and returns their number; zero at the body's end.
    public typealias BodySource = (UnsafeMutableRawBufferPointer) throws -> Int

    /// How the service gets a request's body.
    public enum Body {
        /// The web server has buffered it in the file at this path.
        case file(path: Bytes)
        /// It is read from the connection.
        case stream(BodySource)
    }

    /// How the client gets a payload.
    public enum Delivery {
        /// The web server sends the file: `X-Accel-Redirect` names its path below this prefix.
        case redirect(prefix: Bytes)
        /// The response contains it.
        case stream
    }

    /// The header fields that the endpoints read; `nil` for fields that the client did not send.
    public struct Headers {
        /// `Content-Type`
        public var contentType: Bytes?
        /// `Content-Length`, not validated; a chunked body has none.
        public var contentLength: Bytes?
        /// `X-Temporal-Metadata`
        public var temporalMetadata: Bytes?
        /// `X-Payload-Expected-Content-Length`
        public var expectedContentLength: Bytes?
        /// `X-Namespace`, for the codec server
        public var namespace: Bytes?
        /// `Content-Encoding`, for the codec server
        public var contentEncoding: Bytes?
        /// `Authorization`, for the next codec server
        public var authorization: Bytes?
        /// `Authorization-Extras`, for the next codec server
        public var authorizationExtras: Bytes?
        /// `Cookie`, for the next codec server
        public var cookie: Bytes?
        /// `If-Match`
        public var ifMatch: Bytes?
        /// `If-None-Match`
        public var ifNoneMatch: Bytes?
        /// `If-Range`
        public var ifRange: Bytes?
        /// `Range`
        public var range: Bytes?

        /// Makes header fields that are all absent.
        public init() {}
    }

    /// The method, not validated.
    public var method: Bytes
    /// The path, percent-decoded by the web server.
    public var path: Bytes
    /// The query as the client sent it, without `?`.
    public var query: Bytes
    /// The header fields that the endpoints use.
    public var headers: Headers
    /// The body, in a file or on the connection.
    public var body: Body
    /// How to send a payload to the client.
    public var delivery: Delivery
    /// The namespaces that this caller may use, separated by commas, or `*`; `nil` means `*`. The web server's configuration
    /// sets it, never the client.
    public var allowedNamespaces: Bytes?
    /// More namespaces whose payloads this caller may read, in the same form; `nil` means none. Set in the same way.
    public var readableNamespaces: Bytes?
    /// The path prefix of the codec server; `nil` if the web server's configuration has none for this request.
    public var codecPrefix: Bytes?

    /// Makes a request.
    public init(
        method: Bytes,
        path: Bytes,
        query: Bytes,
        headers: Headers,
        body: Body,
        delivery: Delivery,
        allowedNamespaces: Bytes?,
        readableNamespaces: Bytes? = nil,
        codecPrefix: Bytes? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.delivery = delivery
        self.allowedNamespaces = allowedNamespaces
        self.readableNamespaces = readableNamespaces
        self.codecPrefix = codecPrefix
    }
}
