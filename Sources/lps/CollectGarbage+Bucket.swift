import ArgumentParser
import Glibc
import PayloadKey
import S3Store
import Storage
import StorePolicy
import Synchronization

extension CollectGarbage {
    /// Deletes from a bucket what is too old.
    func collect(
        in bucket: S3Store,
        _ selection: KeySelection,
        _ retention: Retention,
        _ policy: StorePolicy?,
        _ report: CollectionReport
    ) throws {
        guard keepTrash == nil else {
            throw ValidationError("--keep-trash is for a store on a disk: let the bucket keep old versions instead")
        }
        let progress = Progress.onTerminal("gc")
        defer { progress?.wipe() }
        progress?.begin("listing keys")
        var collection = BucketCollection(bucket, retention, isDryRun: dryRun, report) {
            progress?.wipe()
            complain($0)
        }
        try bucket.forEachKey(in: selection) { try collection.take($0) }
        try collection.deleteOld()
        progress?.wipe()
        policy?.warnOfUnknownNamespaces(of: collection.namespaces)
        Self.tell(leftAlone: collection.leftAlone)
        try show(collection.result, "", report)
        if collection.failures > 0 { throw ExitCode.failure }
    }
}

/// The keys of a bucket that are deleted for their age, so many at a time.
///
/// An engine has no lock that an upload could hold meanwhile: each key is looked at again just before the request that
/// deletes it.
struct BucketCollection {
    /// Keys that are looked at, side by side, and deleted together: few, so that little time passes in between.
    private static let batch = 16

    private(set) var result = CollectGarbage.Result()
    private(set) var failures = 0
    private(set) var namespaces: Set<Namespace> = []
    private let bucket: S3Store
    private let retention: Retention
    private let isDryRun: Bool
    private let report: CollectionReport
    private let complain: (String) -> Void
    private let now = time(nil)
    private var old: [StoredKey] = []

    init(
        _ bucket: S3Store,
        _ retention: Retention,
        isDryRun: Bool,
        _ report: CollectionReport = CollectionReport(),
        complain: @escaping (String) -> Void
    ) {
        self.bucket = bucket
        self.retention = retention
        self.isDryRun = isDryRun
        self.report = report
        self.complain = complain
    }

    /// Namespaces that have no age, in order.
    var leftAlone: [Namespace] {
        namespaces.filter { retention.age(for: $0) == nil }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    mutating func take(_ stored: StoredKey) throws {
        namespaces.insert(stored.key.namespace)
        guard isOld(stored.key, lastStored: stored.lastStored) else { return }
        old.append(stored)
        if old.count == Self.batch { try deleteOld() }
    }

    mutating func deleteOld() throws {
        let unwanted = isDryRun ? old : try stillOld()
        old.removeAll(keepingCapacity: true)
        var failed: Set<PayloadKey> = []
        if !isDryRun {
            for failure in try bucket.delete(unwanted) {
                failed.insert(failure.key)
                complain("\(failure.key) is not deleted: \(failure.reason)")
            }
        }
        failures += failed.count
        for stored in unwanted where !failed.contains(stored.key) {
            result.count(stored)
            result.freedBytes += stored.diskUsage
            try report.deleted(stored)
        }
    }

    private func stillOld() throws -> [StoredKey] {
        let found = Mutex<[PayloadKey: Int]>([:])
        try sideBySide(old, threads: Self.batch) { [bucket] stored in
            guard let present = try bucket.find(stored.key) else { return }
            found.withLock { $0[stored.key] = present.lastStored }
        }
        let times = found.withLock { $0 }
        return old.filter { stored in times[stored.key].map { isOld(stored.key, lastStored: $0) } ?? false }
    }

    /// What was stored again within a day has kept its age.
    private func isOld(_ key: PayloadKey, lastStored: Int) -> Bool {
        guard let age = retention.age(for: key.namespace) else { return false }
        return lastStored < now - age.seconds - S3Store.renewalAge
    }
}
