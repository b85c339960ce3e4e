import SystemPackage

extension Errno {
    /// Whether another try may succeed: the system lacked something, or the disk has failed for once.
    package var mayPass: Bool {
        let passing: [Errno] = [
            .ioError, .noMemory, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noSpace, .diskQuotaExceeded, .noLocks,
            .noBufferSpace, .resourceTemporarilyUnavailable,
        ]
        return passing.contains(self)
    }
}
