/// What every line that is logged while a request is served has of it.
enum RequestContext {
    /// The web server's name for the request that this thread serves.
    @TaskLocal static var requestID: String?
}
