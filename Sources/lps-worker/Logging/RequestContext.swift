import Glibc

/// The values of the request that a thread serves, which every line logged for it contains.
///
/// A task-local value would cost each request allocations, though few requests log anything.
final class RequestContext {
    /// The web server's id for the request; `nil` if it sent none, or the thread serves no request.
    var requestID: ArraySlice<UInt8>?

    /// The key of each thread's own context (pthread_key_create(3)), which ends with the thread.
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key) { context in
            if let context { Unmanaged<RequestContext>.fromOpaque(context).release() }
        }
        precondition(status == 0, "the process has too many thread-specific keys")
        return key
    }()

    /// The calling thread's context.
    static var current: RequestContext {
        if let context = pthread_getspecific(key) {
            return Unmanaged<RequestContext>.fromOpaque(context).takeUnretainedValue()
        }
        let context = RequestContext()
        pthread_setspecific(key, Unmanaged.passRetained(context).toOpaque())
        return context
    }
}
