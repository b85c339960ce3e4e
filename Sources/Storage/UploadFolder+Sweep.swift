extension UploadFolder {
    /// How long an upload's file stays here after its last write, in seconds.
    public static let uploadLifetime = 24 * 60 * 60

    /// Deletes files left by crashed uploads: files unchanged for longer than ``uploadLifetime`` whose names are those
    /// of this service or nginx.
    ///
    /// - Returns: the number of files deleted.
    /// - Throws: ``StoreError``; files deleted before the failure stay deleted.
    @discardableResult
    public func sweep() throws -> Int {
        try remove(descriptor.names(".").filter(Self.isUpload).filter(descriptor.isLeftover), in: descriptor)
    }

    /// nginx names its files with ten or more digits (ngx_create_temp_file in its source).
    private static func isUpload(_ name: String) -> Bool {
        let isNumber = name.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return name.hasPrefix(IncomingFile.prefix) || isNumber && name.utf8.count >= 10
    }

    /// Deletes the given leftovers of crashed uploads, and logs their number.
    package func remove(_ leftovers: [String], in folder: Descriptor) throws -> Int {
        // Another worker that starts now may delete the same files.
        let removed = try leftovers.filter(folder.unlink).count
        if removed > 0 {
            logger.notice("leftover upload files deleted", metadata: ["files": "\(removed)"])
        }
        return removed
    }
}

extension Descriptor {
    /// Whether a path is a file old enough that no upload still needs it.
    package func isLeftover(_ path: String) throws -> Bool {
        guard let status = try status(of: path), status.isRegular else { return false }
        return kernel.now() - status.modified > UploadFolder.uploadLifetime
    }
}
