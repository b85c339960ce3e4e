import SystemPackage

/// Writes a line, in one write(2) unless the kernel takes only a part of it.
func writeLine(_ line: String, to descriptor: Int32 = FileDescriptor.standardError.rawValue) {
    // Nobody is left to be told that a log can't be written.
    _ = try? FileDescriptor(rawValue: descriptor).writeAll(Array("\(line)\n".utf8))
}
