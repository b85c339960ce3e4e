import SystemPackage

extension Errno {
    /// Whether a retry may succeed: the system ran out of a resource, or the disk failed, perhaps temporarily.
    package var mayPass: Bool {
        let passing: [Errno] = [
            .ioError, .noMemory, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noSpace, .diskQuotaExceeded, .noLocks,
            .noBufferSpace, .resourceTemporarilyUnavailable,
        ]
        return passing.contains(self)
    }
}
