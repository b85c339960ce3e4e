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

    /// Makes sure that free space stays above the reserve after `bytes` more are written.
    ///
    /// - Throws: ``StoreError`` with code `noSpace` that names the figures.
    public func checkSpace(for bytes: UInt64) throws(StoreError) {
        let free = try FileSystemSpace(root, path).free
        let (left, overflow) = free.subtractingReportingOverflow(bytes)
        guard !overflow, left > reserve else {
            throw StoreError(
                .noSpace,
                "store has \(free) bytes free, a payload of \(bytes) bytes would touch the reserve of \(reserve) bytes"
            )
        }
    }
}
