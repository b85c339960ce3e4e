import SystemPackage

extension PayloadStore {
    /// Makes sure that the store can take a payload and give it back: its folders exist and are writable, and free
    /// space is above the reserve. Costs a handful of system calls that read nothing from disk.
    ///
    /// - Throws: ``StoreError`` that says what is missing.
    public func checkHealth() throws(StoreError) {
        for folder in [StoreLayout.incoming, StoreLayout.objects, StoreLayout.keys, StoreLayout.locks] {
            try checkWritable(folder)
        }
        try checkSpace(for: 0)
    }

    /// Makes sure that free space stays above the reserve after `bytes` more are written, and that files can be made.
    ///
    /// - Throws: ``StoreError`` with code `noSpace` that names the figures.
    public func checkSpace(for bytes: UInt64) throws(StoreError) {
        let space = try FileSystemSpace(root, path)
        let (left, overflow) = space.free.subtractingReportingOverflow(bytes)
        guard !overflow, left > reserve else {
            let upload = bytes > 0 ? ", \(bytes) more would touch" : ", which is not more than"
            throw StoreError(.noSpace, "store has \(space.free) bytes free\(upload) the reserve of \(reserve) bytes")
        }
        guard space.hasFreeInodes else { throw StoreError(.noSpace, "store has no inodes free") }
    }
}
