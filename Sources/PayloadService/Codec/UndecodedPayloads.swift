import Encoding

/// The payloads that a decode leaves as they are, and why.
struct UndecodedPayloads {
    /// The longest list in a header field, in bytes: nginx reads the header of a worker's answer into one page of memory.
    private static let longestField = 2000

    private(set) var count = 0
    private var listed: [String] = []
    private var length = 0

    var isEmpty: Bool { count == 0 }

    mutating func add(_ index: Int, _ reason: String) {
        count += 1
        let item = "\(index);reason=\"\(Self.escaped(reason))\""
        // Once an item does not fit, none is listed, so that the list has no gaps.
        guard listed.count == count - 1, length + item.utf8.count <= Self.longestField else { return }
        listed.append(item)
        length += item.utf8.count + 2
    }

    /// A list of their indices with a reason each (RFC 9651). If not all fit, the last member is `more`, with their number.
    var field: String {
        let more = count - listed.count
        return (listed + (more == 0 ? [] : ["more;count=\(more)"])).joined(separator: ", ")
    }

    /// A text as in a string of RFC 9651, section 3.3.3, which has ASCII characters only.
    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"", "\\": "\\\(scalar)"
            case " "..."~": "\(scalar)"
            default: "?"
            }
        }.joined()
    }
}
