/// The request's values that every line logged for it contains.
enum RequestContext {
    /// The web server's id for the request that this thread serves.
    @TaskLocal static var requestID: String?
}
