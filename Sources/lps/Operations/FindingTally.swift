import Storage

struct FindingTally {
    private(set) var found = 0
    private var damaged = 0
    private var mended = 0
    private var unreadable: Set<[UInt8]> = []

    /// Counts a finding.
    ///
    /// - Returns: Whether it is new: the checks of layout and content both find the same unreadable files.
    mutating func add(_ finding: Finding) -> Bool {
        guard finding.kind != .unreadable || unreadable.insert(Array(finding.path.utf8)).inserted else { return false }
        found += 1
        if finding.kind == .damaged { damaged += 1 }
        if case .mended = finding.remedy { mended += 1 }
        return true
    }

    var summary: String { "\(damaged) damaged, \(found - damaged) other findings, \(mended) repaired" }
}
