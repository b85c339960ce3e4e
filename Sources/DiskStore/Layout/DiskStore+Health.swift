import Storage

extension DiskStore {
    /// Makes sure that the store can take a payload and give it back: its folders exist and are writable, and free
    /// space is above the reserve. Costs a handful of system calls that read nothing from disk.
    ///
    /// - Throws: ``StoreError`` that says what is missing.
    public func checkHealth() throws {
        for folder in [StoreLayout.incoming, StoreLayout.objects, StoreLayout.keys, StoreLayout.locks] {
            try checkWritable(folder)
        }
        try uploads.checkSpace(for: 0)
        // A worker that only serves downloads records the time, too.
        _ = try clock.stamp()
    }
}
