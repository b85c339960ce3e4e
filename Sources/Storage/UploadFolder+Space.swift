extension UploadFolder {
    /// The size of the file system, and its free space for this user, in bytes.
    ///
    /// - Throws: ``StoreError`` with code `system`.
    public func space() throws -> (total: UInt64, free: UInt64) {
        let space = try descriptor.space()
        return (space.total, space.free)
    }

    /// Checks that free space stays above the reserve after `bytes` more are written, and that a file can be created. If
    /// much space is free, the result of the last query is reused (``SpaceLook``).
    ///
    /// - Parameter written: the bytes of the upload that are already written.
    /// - Throws: ``StoreError`` with code `noSpace` that names the figures.
    public func checkSpace(for bytes: UInt64, written: UInt64 = 0) throws {
        let (size, isTooLarge) = bytes.addingReportingOverflow(written)
        let now = descriptor.kernel.uptime()
        if !isTooLarge, look.withLock({ $0?.covers(size, now: now) }) == true { return }
        let space = try descriptor.space()
        look.withLock { $0 = SpaceLook(space, reserve: reserve, now: now) }
        let (left, overflow) = space.free.subtractingReportingOverflow(bytes)
        guard !overflow, left > reserve else {
            let upload = bytes > 0 ? ", \(bytes) more would touch" : ", which is not more than"
            throw StoreError(.noSpace, "\(name) has \(space.free) bytes free\(upload) the reserve of \(reserve) bytes")
        }
        guard space.hasFreeInodes else { throw StoreError(.noSpace, "\(name) has no inodes free") }
    }
}
