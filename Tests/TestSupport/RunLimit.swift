import Testing

extension Trait where Self == TimeLimitTrait {
    /// Names a test that hangs. The limit includes the time a test waits for its turn, so it exceeds any whole run.
    package static var runLimit: Self { .timeLimit(.minutes(30)) }
}
