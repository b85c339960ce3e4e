/// Whether the input triggers one of libfcgi's known holes (docs/security.md), each of which ends the worker:
/// parameters whose lengths overflow or exceed the memory, and management queries with more than three results. Parses
/// records as libfcgi does.
package func meetsHoleOfLibfcgi(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    var parameters: [UInt8] = []
    var request: UInt16?
    while rest.count >= 8 {
        let header = Array(rest.prefix(8))
        let id = UInt16(header[2]) << 8 | UInt16(header[3])
        let length = Int(header[4]) << 8 | Int(header[5])
        let content = rest.dropFirst(8).prefix(length)
        // libfcgi parses the padding of the first record, and of the last parameter record, as the next record.
        let hasPadding = !(header[1] == 1 && request == nil || header[1] == 4 && length == 0)
        rest = rest.dropFirst(8 + length + (hasPadding ? Int(header[6]) : 0))
        guard header[0] == 1 else { break }
        switch header[1] {
        case 1 where request == nil:
            request = id
        case 1:
            break
        case 9 where id == 0:
            if haveHole(content) || content.split(separator: Array("FCGI_M".utf8)).count > 3 { return true }
        default:
            // libfcgi also treats the content of other records without a request as parameters.
            if id == 0 || id == request { parameters += content }
        }
        // After the parameters comes the body. Any other record there is an error.
        if header[1] == 4, id == request, length == 0, haveHole(parameters[...]) { return true }
    }
    return haveHole(parameters[...])
}

private func haveHole(_ parameters: ArraySlice<UInt8>) -> Bool {
    var rest = parameters
    func length() -> Int? {
        guard let first = rest.popFirst() else { return nil }
        guard first > 127 else { return Int(first) }
        defer { rest = rest.dropFirst(3) }
        return rest.count < 3 ? nil : rest.prefix(3).reduce(Int(first & 127)) { $0 << 8 | Int($1) }
    }
    while let name = length(), let value = length() {
        // This is within the memory limit of 'make fuzz'; the system has more.
        if name + value > 48 << 20 { return true }
        rest = rest.dropFirst(name + value)
    }
    return false
}
