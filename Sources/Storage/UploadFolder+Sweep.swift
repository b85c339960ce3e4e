extension UploadFolder {
    /// How long an upload's file may lie here after its last byte was written, in seconds.
    public static let uploadLifetime = 24 * 60 * 60

    /// Removes what crashed uploads left: files unchanged for longer than ``uploadLifetime``, of which the name shows that
    /// they are this service's or nginx's.
    ///
    /// - Returns: how many files were removed.
    /// - Throws: ``StoreError``; what was removed before stays removed.
    @discardableResult
    public func sweep() throws -> Int {
        try remove(descriptor.names(".").filter(Self.isUpload).filter(descriptor.isLeftover), in: descriptor)
    }

    /// nginx calls its files by ten digits, or more (ngx_create_temp_file of its source).
    private static func isUpload(_ name: String) -> Bool {
        let isNumber = name.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return name.hasPrefix(IncomingFile.prefix) || isNumber && name.utf8.count >= 10
    }

    /// Removes files that crashed uploads left, and logs how many they were.
    package func remove(_ leftovers: [String], in folder: Descriptor) throws -> Int {
        // Another worker that starts now may do the same.
        let removed = try leftovers.filter(folder.unlink).count
        if removed > 0 {
            logger.notice("leftovers of crashed uploads were removed", metadata: ["files": "\(removed)"])
        }
        return removed
    }
}

extension Descriptor {
    /// Whether a path is a file that no upload is going to need.
    package func isLeftover(_ path: String) throws -> Bool {
        guard let status = try status(of: path), status.isRegular else { return false }
        return kernel.now() - status.modified > UploadFolder.uploadLifetime
    }
}
