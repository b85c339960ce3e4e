import Storage

extension DiskStore {
    /// Checks that the store can accept and serve payloads: its folders exist and are writable, and free space is above
    /// the reserve. Costs a few system calls that read nothing from disk.
    ///
    /// - Throws: ``StoreError`` that names the fault.
    public func checkHealth() throws {
        for folder in [StoreLayout.incoming, StoreLayout.objects, StoreLayout.keys, StoreLayout.locks] {
            try checkWritable(folder)
        }
        try uploads.checkSpace(for: 0)
        // Workers that only serve downloads record the time, too.
        _ = try clock.stamp()
    }
}
