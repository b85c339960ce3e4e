extension UploadFolder {
    /// Checks whether the disk is the reason why the web server could not write an upload into `incoming/`; returns if
    /// it is not.
    ///
    /// A file shorter than announced means that write(2) failed. If a file can be created and written now, the failure
    /// was lack of space, which another refused upload has freed since.
    ///
    /// - Parameters:
    ///   - path: the file that the web server created, or failed to create.
    ///   - length: the announced length in bytes; `nil` if none was announced.
    /// - Throws: ``StoreError`` with code `noSpace` if there is, or was, no space for the upload; with another code if
    ///   nothing can be written there; with code `uploadNotAcceptable` if the file is not in `incoming/`.
    public func checkRoom(forUnwritten path: [UInt8], length: UInt64?) throws {
        var written: UInt64?
        do {
            written = try open(uploadAt: path).size
        } catch let error as StoreError where error.code == .uploadGone {
        }
        let announced = length ?? 0
        try checkSpace(for: announced - min(announced, written ?? 0))
        let probe = try IncomingFile(in: descriptor, logger: logger)
        try probe.descriptor.write([0])
        // The sync distinguishes a failing disk from a full one.
        try probe.descriptor.synchronize()
        guard let written, written < announced else { return }
        let figures = "\(written) of \(announced) bytes were written"
        throw StoreError(.noSpace, "store had no room for all of an upload: \(figures)")
    }
}
