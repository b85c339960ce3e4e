import PayloadKey

/// The invariants, checked directly on the simulated disk.
extension Simulation {
    func check() throws {
        let universe = Self.universe
        for content in universe.contents.indices where model.damagedAt[content] == nil {
            if let wrong = wrongObject(content) { throw failure(wrong) }
        }
        for key in universe.keys.indices { try check(key) }
    }

    private func check(_ index: Int) throws {
        let key = Self.universe.keys[index]
        let state = model.keys[index]
        let file = machine.disk.node(at: Paths.key(key))
        switch state.presence {
        case .present:
            guard let file else { throw failure("\(key) was acknowledged, but is missing") }
            guard file.modified >= state.storedAt else {
                throw failure("\(key) was stored at \(state.storedAt), but its age counts from \(file.modified)")
            }
        case .absent: if file != nil { throw failure("\(key) exists, but was deleted or never stored") }
        case .maybe: break
        }
        if file != nil { try checkContent(of: key) }
        for (hour, presence) in state.trash {
            let file = machine.disk.node(at: Paths.trash(key, hour))
            switch presence {
            case .present:
                if file == nil { throw failure("\(key) was moved to the trash of \(hour), but is not there") }
            case .absent: if file != nil { throw failure("\(key) is in the trash of \(hour), but should not be") }
            case .maybe: break
            }
            if file != nil { try checkContent(of: key) }
        }
    }

    private func checkContent(of key: PayloadKey) throws {
        guard let content = Self.universe.content(of: key.digest), model.damagedAt[content] == nil,
            machine.disk.node(at: Paths.object(key.digest)) == nil
        else { return }
        throw failure("the content of \(key) is lost")
    }

    /// The error in the object of a content; `nil` if it is correct or missing.
    func wrongObject(_ content: Int) -> String? {
        let digest = Self.universe.digests[content]
        guard let object = machine.disk.node(at: Paths.object(digest)),
            object.content != Self.universe.contents[content]
        else { return nil }
        return "the object of content \(content) has wrong bytes"
    }

    /// An error if the store has unreferenced content.
    func unreferencedContent() -> String? {
        for content in Self.universe.contents.indices {
            let digest = Self.universe.digests[content]
            guard machine.disk.node(at: Paths.object(digest)) != nil else { continue }
            let isNamed = Self.universe.keys.indices.contains { index in
                let key = Self.universe.keys[index]
                guard key.digest == digest else { return false }
                if machine.disk.node(at: Paths.key(key)) != nil { return true }
                return model.keys[index].trash.keys.contains { machine.disk.node(at: Paths.trash(key, $0)) != nil }
            }
            if !isNamed { return "content \(content) is unreferenced, but was not deleted" }
        }
        return nil
    }

    /// The total size of a namespace's keys, in bytes.
    func usage(of namespace: Int) -> UInt64 {
        Self.universe.keys.reduce(0) { sum, key in
            guard key.namespace == Self.universe.namespaces[namespace],
                machine.disk.node(at: Paths.key(key)) != nil,
                let object = machine.disk.node(at: Paths.object(key.digest))
            else { return sum }
            return sum + UInt64(object.content.count)
        }
    }
}
