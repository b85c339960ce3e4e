extension S3Client {
    /// Lists what begins with a prefix, page by page (ListObjectsV2), as the engine names it: SeaweedFS leaves out a
    /// slash at a key's start. No page is held while the next is asked for.
    ///
    /// - Parameters:
    ///   - prefix: of whole keys. SeaweedFS finds nothing for a lone slash.
    ///   - visit: gets each object. What it throws ends the listing, and is thrown.
    /// - Throws: ``S3Error``, or what `visit` throws.
    public func list(prefix: [UInt8], _ visit: (S3Object) throws -> Void) throws {
        var position = ListPosition.start
        while true {
            let request = listRequest(prefix, most: limits.pageSize, after: position)
            let page = try retrying { try self.page(request) }
            try check(page, prefix)
            for object in page.objects { try visit(object) }
            guard page.isTruncated else { return }
            guard let following = ListPosition(after: page), following != position else {
                throw malformed("listing", "a page that has a next one, and does not say where")
            }
            position = following
        }
    }

    func listRequest(_ prefix: [UInt8], most: Int?, after position: ListPosition) -> S3Request {
        var query = [
            (name: "list-type", value: "2"), ("encoding-type", "url"),
            ("prefix", String(decoding: prefix, as: UTF8.self)),
        ]
        if let most { query.append(("max-keys", String(most))) }
        switch position {
        case .start: break
        case .token(let token): query.append(("continuation-token", token))
        case .key(let key): query.append(("start-after", key))
        }
        return S3Request(
            operation: "listing",
            method: "GET",
            path: location.bucketPath,
            query: query,
            total: .seconds(60)
        )
    }

    func page(_ request: S3Request) throws -> ListPage {
        try decoded(send(request, keeping: Self.longestPage), ListPage.init)
    }

    /// Engines that leave out slashes must not be taken for such that ignore the prefix.
    private func check(_ page: ListPage, _ prefix: [UInt8]) throws {
        let prefix = Self.withSingleSlashes(prefix)
        for object in page.objects where !Self.withSingleSlashes(object.key).starts(with: prefix) {
            throw malformed("listing", "a key that does not begin with the prefix that was asked for")
        }
    }

    /// A key as SeaweedFS keeps it.
    static func withSingleSlashes(_ key: [UInt8]) -> [UInt8] {
        var single: [UInt8] = []
        single.reserveCapacity(key.count)
        let slash = UInt8(ascii: "/")
        for byte in key where byte != slash || (single.last ?? slash) != slash { single.append(byte) }
        return single
    }
}

/// Where a page of a listing begins.
enum ListPosition: Equatable {
    case start
    case token(String)
    /// Behind a key.
    case key(String)

    /// Behind a page; `nil` when it does not say.
    init?(after page: ListPage) {
        // SeaweedFS's and Ceph's tokens are keys, in which U+FFFD is in place of what XML can't name: it would skip others.
        if !page.nextToken.isEmpty, !page.nextToken.unicodeScalars.contains("\u{FFFD}") {
            self = .token(page.nextToken)
        } else if let last = page.objects.last, let key = String(validating: last.key, as: UTF8.self) {
            self = .key(key)
        } else {
            return nil
        }
    }
}
