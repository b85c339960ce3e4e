import Foundation
import PayloadKey
import Storage
import Synchronization

/// The simplest store that keeps the contract, in memory. If it fails a test of the contract, the test is wrong.
package final class MemoryStore: PayloadStorage {
    private struct Entry {
        var content: [UInt8]
        var lastStored: Int
    }

    private let entries = Mutex<[PayloadKey: Entry]>([:])
    private let failure = Mutex<StoreError?>(nil)
    package let uploads: UploadFolder
    package let name = "memory"
    package let ageLag = 0
    package let deletionsAtOnce = 1

    init(uploads: UploadFolder) { self.uploads = uploads }

    private func entry(_ key: PayloadKey) -> Entry? { entries.withLock { $0[key] } }

    func replace(_ key: PayloadKey, with content: [UInt8]) { entries.withLock { $0[key]?.content = content } }

    /// Makes a key `seconds` older.
    func makeOld(_ key: PayloadKey, seconds: Int) { entries.withLock { $0[key]?.lastStored -= seconds } }

    /// Makes all further reads and commits fail with `error`; `nil` makes them succeed again.
    package func fail(with error: StoreError?) { failure.withLock { $0 = error } }

    private func failIfAsked() throws {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    // MARK: PayloadStorage

    package func open(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> StoredPayload? {
        try failIfAsked()
        return entry(key).map { Content(bytes: $0.content, name: "\(key)") }
    }

    package func locate(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> (any PayloadLocation)? {
        try failIfAsked()
        return entry(key).map { Content(bytes: $0.content, name: "\(key)") }
    }

    package func checkQuota(for bytes: UInt64, as key: PayloadKey) {}

    package func commit(
        _ upload: VerifiedUpload,
        as key: PayloadKey,
        until deadline: ContinuousClock.Instant?,
        onPiece: () throws -> Void
    ) throws -> CommitOutcome {
        try failIfAsked()
        var content: [UInt8] = []
        try upload.content.read(0..<upload.size) { content += $0 }
        let new = Entry(content: content, lastStored: Int(Date().timeIntervalSince1970))
        return entries.withLock { entries in
            let isShared = entries.contains { $0.key.digest == key.digest && $0.value.content == content }
            return entries.updateValue(new, forKey: key) != nil ? .existed : isShared ? .linked : .created
        }
    }

    package func checkHealth() throws { try uploads.checkSpace(for: 0) }
    package func checkStart(waiting: Bool) {}
    package func tidyUp() throws { try uploads.sweep() }

    package func find(_ key: PayloadKey) -> StoredKey? { entry(key).map { stored(key, $0) } }

    private func stored(_ key: PayloadKey, _ entry: Entry) -> StoredKey {
        let size = UInt64(entry.content.count)
        return StoredKey(key, size: size, diskUsage: size, lastStored: entry.lastStored, path: "\(key)")
    }

    package func forEachKey(
        in selection: KeySelection,
        unreadable: (String, StoreError) throws -> Void,
        _ visit: (StoredKey) throws -> Void
    ) throws {
        for (key, entry) in entries.withLock({ $0 }) where selection.includes(key) { try visit(stored(key, entry)) }
    }

    package func forEachAge(
        in selection: KeySelection,
        where isWanted: (Namespace) -> Bool,
        unreadable: (String, StoreError) throws -> Void,
        _ visit: (PayloadKey, Int) throws -> Void
    ) throws {
        try forEachKey(in: selection) { if isWanted($0.key.namespace) { try visit($0.key, $0.lastStored) } }
    }

    package func remove(_ key: PayloadKey, isDurable: Bool, if isUnwanted: (Int) -> Bool) -> StoredKey? {
        entries.withLock { entries in
            guard let entry = entries[key], isUnwanted(entry.lastStored) else { return nil }
            entries[key] = nil
            return stored(key, entry)
        }
    }

    package func contentToScrub(_ scope: ScrubScope) -> UInt64 {
        entries.withLock { $0.values.reduce(0) { $0 + UInt64($1.content.count) } }
    }

    package func scrub(_ scope: ScrubScope, pace: (Int) -> Void, report: (Finding) throws -> Void) throws -> Scrubbed {
        var scrubbed = Scrubbed()
        for (key, entry) in entries.withLock({ $0 }) {
            scrubbed.files += 1
            scrubbed.bytes += UInt64(entry.content.count)
            pace(entry.content.count)
            guard Digest(of: entry.content) != key.digest else { continue }
            let isMoved = entries.withLock { entries in
                guard entries[key]?.content == entry.content else { return false }
                entries[key] = nil
                return true
            }
            let damage = Damage(digest: key.digest, quarantine: nil, keys: [key], trashed: [])
            try report(
                Finding(.damaged, "\(key)", "is damaged", isMoved ? .mended("forgotten") : .none, damage: damage)
            )
        }
        return scrubbed
    }
}

private struct Content: PayloadContent, PayloadLocation {
    let bytes: [UInt8]
    let name: String
    var size: UInt64 { UInt64(bytes.count) }

    func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        try bytes[Int(range.lowerBound)..<Int(range.upperBound)].withUnsafeBytes { try take($0) }
    }

    func redirect(isRange: Bool) -> InternalRedirect { InternalRedirect(name) }
}
