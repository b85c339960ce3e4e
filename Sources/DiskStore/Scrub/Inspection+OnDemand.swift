import PayloadKey
import Storage

/// What is made when it is first needed. That `trash` and `usage` are folders is looked at with the other strays.
extension Inspection {
    func trash() throws {
        guard let status = try status(StoreLayout.trash), status.isFolder else { return }
        try attributes(StoreLayout.trash, status, .folder)
        for name in try names(StoreLayout.trash) {
            let tree = "\(StoreLayout.trash)/\(name)"
            guard let status = try self.status(tree) else { continue }
            guard status.isFolder, StoreLayout.timeInTrash(name) != nil else {
                try stray(tree)
                continue
            }
            try attributes(tree, status, .folder)
            for name in try names(tree) where try !namespace(name, in: tree) {
                // It may have been purged.
                if try self.status("\(tree)/\(name)") != nil { try stray("\(tree)/\(name)") }
            }
        }
    }

    func usage() throws {
        guard let status = try status(StoreLayout.usage), status.isFolder else { return }
        try attributes(StoreLayout.usage, status, .folder)
        for name in try names(StoreLayout.usage) {
            let path = "\(StoreLayout.usage)/\(name)"
            guard let status = try self.status(path) else { continue }
            if status.isFolder, StoreLayout.usageFolders.contains(path) {
                try attributes(path, status, .folder)
                let isName = { (name: String) in
                    path == StoreLayout.lostContents
                        ? Digest(hex: name.utf8) != nil : (try? Namespace(validating: name.utf8)) != nil
                }
                try files(in: path, isName)
            } else if status.isRegular, path == StoreLayout.usageEpoch {
                try attributes(path, status, .file)
            } else {
                try stray(path)
            }
        }
    }

    private func files(in folder: String, _ isName: (String) -> Bool) throws {
        for name in try names(folder) {
            let path = "\(folder)/\(name)"
            guard let status = try status(path) else { continue }
            if status.isRegular, isName(name) {
                try attributes(path, status, .file)
            } else {
                try stray(path)
            }
        }
    }
}
