extension S3Client {
    /// Lists the objects whose keys begin with a prefix, page by page (ListObjectsV2), under the engine's names:
    /// SeaweedFS omits a leading slash. Releases each page before it requests the next.
    ///
    /// - Parameters:
    ///   - prefix: of whole keys. SeaweedFS finds nothing for a single slash.
    ///   - visit: called for each object. An error it throws ends the listing and is rethrown.
    /// - Throws: ``S3Error``, or what `visit` throws.
    public func list(prefix: [UInt8], _ visit: (S3Object) throws -> Void) throws {
        var request = listRequest(prefix, most: limits.pageSize)
        let first = request.query
        while true {
            let page = try retrying { [request] in try self.page(request) }
            try check(page, prefix)
            for object in page.objects { try visit(object) }
            guard page.isTruncated else { return }
            let before = request.canonicalQuery
            if let next = page.next { request.query = first + [next] }
            guard request.canonicalQuery != before else {
                throw malformed("listing", "a truncated page that does not name the next one")
            }
        }
    }

    func listRequest(_ prefix: [UInt8], most: Int?) -> S3Request {
        let text = String(decoding: prefix, as: UTF8.self)
        return S3Request(
            operation: "listing",
            method: "GET",
            path: location.bucketPath,
            query: [("list-type", "2"), ("encoding-type", "url"), ("prefix", text)]
                + (most.map { [("max-keys", String($0))] } ?? []),
            total: .seconds(60)
        )
    }

    func page(_ request: S3Request) throws -> ListPage {
        try decoded(send(request, keeping: Self.longestPage), ListPage.init)
    }

    /// Refuses a page whose keys lack the prefix. Ignores repeated slashes, since some engines merge them.
    private func check(_ page: ListPage, _ prefix: [UInt8]) throws {
        let prefix = Self.withSingleSlashes(prefix)
        for object in page.objects where !Self.withSingleSlashes(object.key).starts(with: prefix) {
            throw malformed("listing", "a key without the requested prefix")
        }
    }

    /// A key in SeaweedFS's form: without a leading slash and repeated slashes.
    static func withSingleSlashes(_ key: [UInt8]) -> [UInt8] {
        var single: [UInt8] = []
        single.reserveCapacity(key.count)
        let slash = UInt8(ascii: "/")
        for byte in key where byte != slash || (single.last ?? slash) != slash { single.append(byte) }
        return single
    }
}
