/// When whoever waits for the requests of a task gives up: none is begun after it, and none outlasts it, but for a
/// content that is being read.
public enum S3Deadline {
    /// `nil`: only the client's limits hold.
    @TaskLocal public static var current: ContinuousClock.Instant?
}
