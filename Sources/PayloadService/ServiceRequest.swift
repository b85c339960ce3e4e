/// A request as the endpoints see it: plain values, whatever protocol brought them. Text from outside is bytes until
/// validated.
public struct ServiceRequest {
    /// Puts the next bytes of a body into the buffer and returns their number; zero means that the body has ended.
    public typealias BodySource = (UnsafeMutableRawBufferPointer) throws -> Int

    /// How the body of an upload gets here.
    public enum Body {
        /// The web server has put it into a file, at this path.
        case file(path: [UInt8])
        /// It comes with the request.
        case stream(BodySource)
    }

    /// How a payload gets to the client.
    public enum Delivery {
        /// The web server sends the file itself: it is told the file's path behind this prefix, in `X-Accel-Redirect`.
        case redirect(prefix: [UInt8])
        /// It goes with the response.
        case stream
    }

    /// The header fields that the endpoints read; `nil` where the client sent none.
    public struct Headers {
        /// `Content-Type`
        public var contentType: [UInt8]?
        /// `Content-Length`, as it was sent; a chunked body has none.
        public var contentLength: [UInt8]?
        /// `X-Temporal-Metadata`
        public var temporalMetadata: [UInt8]?
        /// `X-Payload-Expected-Content-Length`
        public var expectedContentLength: [UInt8]?
        /// `X-Namespace`, of a request to the codec server
        public var namespace: [UInt8]?
        /// `If-Match`
        public var ifMatch: [UInt8]?
        /// `If-None-Match`
        public var ifNoneMatch: [UInt8]?
        /// `If-Range`
        public var ifRange: [UInt8]?
        /// `Range`
        public var range: [UInt8]?

        /// No header fields.
        public init() {}
    }

    /// The method, as it was sent.
    public var method: [UInt8]
    /// The path, percent-decoded by the web server.
    public var path: [UInt8]
    /// The query as the client sent it, without `?`.
    public var query: [UInt8]
    /// The header fields.
    public var headers: Headers
    /// Where an upload's body is.
    public var body: Body
    /// How a payload is to be given.
    public var delivery: Delivery
    /// The namespaces that this caller may use, separated by commas, or `*`; `nil` means `*`. From the web server's
    /// configuration, never from the client.
    public var allowedNamespaces: [UInt8]?
    /// The path below which the codec server is, when the web server's configuration has one there.
    public var codecPrefix: [UInt8]?

    /// Makes a request.
    public init(
        method: [UInt8],
        path: [UInt8],
        query: [UInt8],
        headers: Headers,
        body: Body,
        delivery: Delivery,
        allowedNamespaces: [UInt8]?,
        codecPrefix: [UInt8]? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.delivery = delivery
        self.allowedNamespaces = allowedNamespaces
        self.codecPrefix = codecPrefix
    }
}
