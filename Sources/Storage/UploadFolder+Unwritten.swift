extension UploadFolder {
    /// Finds out whether the disk is why the web server could not write an upload into `incoming/`; returns when it is
    /// not.
    ///
    /// A file that is shorter than announced means that write(2) failed. When a file can be made and written by now, what
    /// was missing then is space: another upload that was refused has given some back.
    ///
    /// - Parameters:
    ///   - path: the file that the web server has made, or could not make.
    ///   - length: the announced length in bytes; `nil` when none was announced.
    /// - Throws: ``StoreError`` with code `noSpace` when there is, or was, no space for it; with another code when nothing
    ///   can be written there; with code `uploadNotAcceptable` when the file is not one of `incoming/`.
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
        // A disk that fails is not full.
        try probe.descriptor.synchronize()
        guard let written, written < announced else { return }
        let figures = "\(written) of \(announced) bytes were written"
        throw StoreError(.noSpace, "store had no room for all of an upload: \(figures)")
    }
}
