import SystemPackage

/// Writes a line with one write(2), unless the kernel accepts only a part of it.
func writeLine(_ line: String, to descriptor: Int32 = FileDescriptor.standardError.rawValue) {
    // There is nowhere to report a log that can't be written.
    _ = try? FileDescriptor(rawValue: descriptor).writeAll(Array("\(line)\n".utf8))
}
