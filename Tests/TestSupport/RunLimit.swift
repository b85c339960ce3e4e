import Testing

extension Trait where Self == TimeLimitTrait {
    /// Names the test that hangs. It counts the time that a test waits for its turn, too, so it is longer than any whole run.
    package static var runLimit: Self { .timeLimit(.minutes(30)) }
}
