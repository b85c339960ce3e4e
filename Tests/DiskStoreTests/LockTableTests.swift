import Glibc
import TestSupport
import Testing

@testable import System

/// The kernel's list of locks (`/proc/locks`, proc(5)).
@Suite(.runLimit) struct LockTableTests {
    private let table = """
        1: FLOCK  ADVISORY  WRITE 1234 08:02:131 0 EOF
        2: FLOCK  ADVISORY  READ 77 08:02:131 0 EOF
        2: -> FLOCK  ADVISORY  WRITE 78 08:02:131 0 EOF
        3: POSIX  ADVISORY  WRITE 99 08:02:131 0 EOF
        4: FLOCK  ADVISORY  WRITE 0 08:02:131 0 EOF
        5: FLOCK  ADVISORY  WRITE 55 08:02:132 0 EOF
        6: FLOCK  ADVISORY  WRITE 56 08:03:131 0 EOF
        7: FLOCK  ADVISORY  WRITE 57 fe:1000:7 0 EOF
        8: FLOCK  ADVISORY
        9: FLOCK  ADVISORY  WRITE x 08:02:131 0 EOF
        10: FLOCK  ADVISORY  WRITE 58 08:131 0 EOF

        """

    /// Packs a device's numbers as makedev(3) does.
    private func file(_ major: UInt64, _ minor: UInt64, _ inode: UInt64) -> FileStatus.Identity {
        let device = minor & 0xFF | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32
        return FileStatus.Identity(device: device, inode: inode)
    }

    @Test func `Only holders of flock(2) locks on the file itself are found, not waiting processes`() {
        #expect(LockTable.holders(of: file(8, 2, 131), in: table) == [1234, 77])
        #expect(LockTable.holders(of: file(8, 2, 132), in: table) == [55])
        #expect(LockTable.holders(of: file(8, 3, 131), in: table) == [56])
        #expect(LockTable.holders(of: file(8, 2, 999), in: table).isEmpty)
        #expect(LockTable.holders(of: file(8, 2, 131), in: "").isEmpty)
        // A device with large numbers.
        #expect(LockTable.holders(of: file(0xFE, 0x1000, 7), in: table) == [57])
        #expect(LockTable.holders(of: file(0xFE, 0, 7), in: table).isEmpty)
    }

    @Test func `The kernel lists a lock that this process holds`() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("lock")
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        let identity = try LinuxKernel.shared.status(of: file).identity
        #expect(LockTable.holders(of: identity).isEmpty)
        #expect(flock(file, LOCK_EX) == 0)
        #expect(LockTable.holders(of: identity) == [getpid()])
    }
}
