import DiskStore
import PayloadKey
import Storage

/// The effects of operations on the model. Whatever an unfinished operation may change is `maybe`; at its end its
/// answer decides, unless it overlapped with another operation that changes the same.
extension Model {
    private var universe: Universe { Simulation.universe }

    mutating func begin(_ running: Running) {
        running.recorded = recorded
        running.keysBefore = keys
        switch running.operation {
        case .put(let key): doubt(presenceOf: key)
        case .undelete(let key):
            doubt(presenceOf: key)
            for hour in keys[key].trash.keys { doubt(trashOf: key, hour) }
        case .remove(let key): doubt(presenceOf: key)
        case .moveToTrash(let key):
            doubt(presenceOf: key)
            doubt(trashOf: key, running.trashHour)
        case .collect(let selection, let age, let keepTrash, _):
            for key in keys.indices where selection.includes(universe.keys[key]) {
                for hour in keys[key].trash.keys where keepTrash.map({ hour + $0 <= running.clock }) ?? false {
                    doubt(trashOf: key, hour)
                }
                guard keys[key].presence != .absent, keys[key].storedAt < running.clock - age else { continue }
                running.candidates.append(key)
                doubt(presenceOf: key)
                if let keepTrash, keepTrash > 0 { doubt(trashOf: key, running.trashHour) }
            }
        default: break
        }
    }

    private mutating func doubt(presenceOf key: Int) { keys[key].presence = .maybe }
    private mutating func doubt(trashOf key: Int, _ hour: Int) { keys[key].trash[hour] = .maybe }

    /// - Returns: the error in the answer; `nil` if the answer is correct.
    mutating func complete(_ running: Running, in simulation: Simulation) -> String? {
        let end = running.clockNow
        switch running.operation {
        case .put, .undelete, .start:
            record(
                from: running.clock,
                to: max(running.clock, end),
                isCertain: running.isCertainToRecord,
                at: running.now
            )
        default: break
        }
        guard case .success(let answer) = running.outcome, !running.isKilled else {
            // It may have been killed after its last change, before the answer.
            if let key = running.operation.keyToStore { touch(key, running) }
            return running.isKilled ? nil : reasonForFailure(of: running, in: simulation)
        }
        switch (running.operation, answer) {
        case (.put(let key), .stored):
            store(key, running)
            // Damage from before it began is repaired now, unless another operation that saw it still acts on it.
            if let content = universe.content(of: universe.keys[key].digest), let damaged = damagedAt[content],
                damaged < running.started, !running.overlaps.contains(where: { $0.started <= damaged })
            {
                damagedAt[content] = nil
                repairedAt[content] = running.now
            }
            return nil
        case (.get(let key), .content(let bytes)): return check(bytes, of: key, running)
        case (.export, .exported(let found)):
            for key in keys.indices {
                if let bytes = found[universe.keys[key]] {
                    if let wrong = check(bytes, of: key, running) { return wrong }
                } else if running.keysBefore[key].presence == .present, keys[key].presence == .present,
                    !running.overlaps.contains(where: { $0.mayDelete(key, running.keysBefore[key]) })
                {
                    return "\(universe.keys[key]) is not exported"
                }
            }
            return nil
        case (.remove(let key), .deleted(let isDeleted)), (.moveToTrash(let key), .deleted(let isDeleted)):
            return deleted(key, isDeleted, running)
        case (.undelete(let key), .restored(let outcomes)): return restored(key, outcomes, running)
        case (.collect, .done): return collected(running)
        case (.scrub, .findings(let findings)), (.repair, .findings(let findings)):
            return check(findings, running, in: simulation)
        case (.sweep, .done): return running.overlaps.isEmpty ? simulation.unreferencedContent() : nil
        case (.recount(let namespace), .done):
            if running.overlaps.isEmpty, damagedAt.allSatisfy({ $0 == nil }) { isUsageUnknown[namespace] = false }
            return nil
        case (.checkUsage(let namespace), .usage(let usage)):
            let sum = simulation.usage(of: namespace)
            guard !isUsageUnknown[namespace], sum != usage else { return nil }
            return "counts \(usage) bytes, the keys have \(sum)"
        default: return nil
        }
    }

    // MARK: Storing

    /// The earliest time that the key's age can now count from: a clock behind the recorded time is not trusted.
    private func leastAge(_ running: Running) -> Int {
        guard !running.hasClockChanged else { return Int.min }
        return max(running.clock, knownRecord(at: running.started))
    }

    private mutating func touch(_ key: Int, _ running: Running) {
        keys[key].storedAt = min(keys[key].storedAt, leastAge(running))
        keys[key].touchedAt = max(keys[key].touchedAt, running.clock, running.clockNow, recorded.upperBound)
    }

    private mutating func store(_ key: Int, _ running: Running) {
        let others = running.overlaps.filter { $0.mayStore(key) }
        let before = keys[key].storedAt
        touch(key, running)
        keys[key].storedAt = others.isEmpty ? leastAge(running) : min(before, leastAge(running))
        let isContested = running.overlaps.contains { $0.mayDelete(key, keys[key]) }
        keys[key].presence = isContested ? .maybe : .present
    }

    // MARK: Reading

    /// Whether content may have been damaged at any time since an operation began.
    private func mayBeDamaged(_ content: Int, since running: Running) -> Bool {
        damagedAt[content] != nil || repairedAt[content] >= running.started
    }

    private func check(_ bytes: [UInt8]?, of key: Int, _ running: Running) -> String? {
        guard let content = universe.content(of: universe.keys[key].digest) else { return nil }
        let mayBeDamaged = mayBeDamaged(content, since: running)
        if let bytes {
            if bytes != universe.contents[content], !mayBeDamaged { return "wrong bytes are served" }
            if running.keysBefore[key].presence == .absent, keys[key].presence == .absent,
                !running.overlaps.contains(where: { $0.mayStore(key) })
            {
                return "a key that is not stored is served"
            }
        } else if running.keysBefore[key].presence == .present, keys[key].presence == .present, !mayBeDamaged,
            !running.overlaps.contains(where: { $0.mayDelete(key, running.keysBefore[key]) })
        {
            return "\(universe.keys[key]) is missing"
        }
        return nil
    }

    // MARK: Deleting

    private mutating func deleted(_ key: Int, _ isDeleted: Bool, _ running: Running) -> String? {
        let creators = running.overlaps.contains { $0.mayStore(key) }
        let deleters = running.overlaps.contains { $0.mayDelete(key, running.keysBefore[key]) }
        let before = running.keysBefore[key].presence
        if isDeleted, before == .absent, !creators { return "a key that is not stored is deleted" }
        if !isDeleted, before == .present, !deleters, !creators { return "a key that is stored is not found" }
        // A key that another process deleted without a sync may reappear after a power loss.
        keys[key].presence = creators || !isDeleted && before != .absent ? .maybe : .absent
        guard case .moveToTrash = running.operation else { return nil }
        let hour = running.trashHour
        let others = running.overlaps.contains { $0.mayChangeTrash(of: key) }
        if isDeleted {
            keys[key].trash[hour] = others ? .maybe : .present
        } else if !others {
            keys[key].trash[hour] = running.keysBefore[key].trash[hour] ?? .absent
        }
        return nil
    }

    private mutating func collected(_ running: Running) -> String? {
        guard case .collect(let selection, let age, let keepTrash, _) = running.operation else { return nil }
        if !running.hasClockChanged {
            if running.clock < running.recorded.lowerBound { return "it deletes although the clock is behind" }
            if running.clock > recorded.upperBound + 3 * 24 * 3600 {
                return "it deletes although the clock is far ahead"
            }
        }
        for key in running.candidates {
            let before = running.keysBefore[key]
            let isOld = before.touchedAt < running.clock - age
            let isContested = running.overlaps.contains { $0.mayStore(key) || $0.mayDelete(key, before) }
            if !running.overlaps.contains(where: { $0.mayStore(key) }) {
                keys[key].presence = isOld ? .absent : .maybe
            }
            if let keepTrash, keepTrash > 0 {
                let others = running.overlaps.contains { $0.mayChangeTrash(of: key) }
                let isCertain = before.presence == .present && isOld && !isContested && !others
                keys[key].trash[running.trashHour] = isCertain ? .present : .maybe
            }
        }
        guard let keepTrash else { return nil }
        for key in keys.indices where selection.includes(universe.keys[key]) {
            for hour in running.keysBefore[key].trash.keys where hour + keepTrash <= running.clock {
                let others = running.overlaps.contains { $0.mayChangeTrash(of: key) }
                if hour != running.trashHour { keys[key].trash[hour] = others ? .maybe : .absent }
            }
        }
        return nil
    }

    // MARK: Restoring

    private mutating func restored(
        _ key: Int,
        _ outcomes: [Int: Result<UndeleteOutcome, any Error>],
        _ running: Running
    ) -> String? {
        let before = running.keysBefore[key]
        let others = running.overlaps.contains { $0.mayChangeTrash(of: key) }
        var isRestored = false
        for (hour, presence) in before.trash where presence == .present && outcomes[hour] == nil && !others {
            return "it is not found in the trash of \(hour)"
        }
        for (hour, outcome) in outcomes.sorted(by: { $0.key < $1.key }) {
            switch outcome {
            case .success(.undeleted):
                isRestored = true
                keys[key].trash[hour] = others ? .maybe : .absent
            case .success(.existed):
                // Not synced: the key may reappear in the trash after a power loss.
                keys[key].trash[hour] = .maybe
            case .success(.gone):
                if before.trash[hour] == .present, !others { return "it is gone from the trash of \(hour)" }
                keys[key].trash[hour] = .maybe
            case .failure(let error):
                keys[key].trash[hour] = .maybe
                guard let content = universe.content(of: universe.keys[key].digest) else { continue }
                if let error = error as? StoreError {
                    if error.code == .damaged, mayBeDamaged(content, since: running) { continue }
                    if error.code == .busy || error.code == .counting, !running.overlaps.isEmpty { continue }
                }
                if running.machine.faultRate == 0 { return "it can't be restored: \(error)" }
            }
        }
        // A key that another process took out of the trash without a sync may reappear after a power loss.
        for (hour, presence) in before.trash where outcomes[hour] == nil && !others && presence == .absent {
            keys[key].trash[hour] = .absent
        }
        if isRestored {
            store(key, running)
        } else {
            touch(key, running)
            let isUntouched =
                outcomes.values.allSatisfy { if case .success = $0 { true } else { false } }
                && !running.overlaps.contains { $0.mayStore(key) || $0.mayDelete(key, before) }
            if isUntouched { keys[key].presence = before.presence }
        }
        return nil
    }

    // MARK: Scrubbing

    private func check(_ findings: [Finding], _ running: Running, in simulation: Simulation) -> String? {
        for finding in findings {
            let content = universe.digests.firstIndex { finding.path.contains($0.hex) }
            switch finding.kind {
            case .damaged, .keyWithoutContent:
                guard let content, mayBeDamaged(content, since: running) else {
                    return "finds \(finding.kind) \(finding.path)"
                }
            case .unreferencedContent, .staleUpload: break
            case .unreadable where running.machine.faultRate > 0: break
            default: return "finds \(finding.kind) \(finding.path): \(finding.reason)"
            }
        }
        guard running.overlaps.isEmpty, running.machine.faultRate == 0 else { return nil }
        for content in universe.contents.indices where (damagedAt[content] ?? .max) < running.started {
            if let wrong = simulation.wrongObject(content) { return "leaves \(wrong)" }
        }
        if case .repair = running.operation { return simulation.unreferencedContent() }
        return nil
    }

    // MARK: Failures

    private mutating func reasonForFailure(of running: Running, in simulation: Simulation) -> String? {
        guard case .failure(let error) = running.outcome else { return nil }
        guard let error = error as? StoreError else { return "fails: \(error)" }
        if running.machine.faultRate > 0 { return nil }
        // The simulation may delete a file between two calls.
        if lastDamage >= running.started { return nil }
        switch error.code {
        case .busy, .counting:
            return running.overlaps.isEmpty ? "fails alone: \(error)" : nil
        case .quotaExceeded:
            return nil
        case .uploadGone where running.hasClockChanged:
            // Its file looked like a leftover from a day ago.
            return nil
        case .clockNotTrusted:
            if !running.hasClockChanged, running.clock >= recorded.upperBound,
                running.clockNow <= running.recorded.lowerBound + 3 * 24 * 3600
            {
                return "does not trust a correct clock: \(error)"
            }
            // It refuses to run before it deletes anything.
            for key in running.candidates where !running.overlaps.contains(where: { $0.concerns(key) }) {
                keys[key] = running.keysBefore[key]
            }
            return nil
        default: return "fails: \(error)"
        }
    }
}

extension Running {
    func mayStore(_ key: Int) -> Bool { operation.keyToStore == key }

    /// Whether the operation may delete a key with this state.
    func mayDelete(_ key: Int, _ state: KeyState) -> Bool {
        switch operation {
        case .remove(key), .moveToTrash(key): true
        case .collect(let selection, let age, _, _):
            selection.includes(Simulation.universe.keys[key]) && state.storedAt < clock - age
        default: false
        }
    }

    func mayChangeTrash(of key: Int) -> Bool {
        switch operation {
        case .moveToTrash(key), .undelete(key): true
        case .collect(let selection, _, let keepTrash, _):
            keepTrash != nil && selection.includes(Simulation.universe.keys[key])
        default: false
        }
    }

    func concerns(_ key: Int) -> Bool {
        switch operation {
        case .collect(let selection, _, _, _): selection.includes(Simulation.universe.keys[key])
        default: mayStore(key) || mayChangeTrash(of: key) || mayDelete(key, KeyState())
        }
    }
}
