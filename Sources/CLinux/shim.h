// Linux interfaces that Swift's Glibc module lacks.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

// memfd_create(2) with MFD_CLOEXEC.
static inline int memory_file(const char *name) { return (int)syscall(SYS_memfd_create, name, 1U); }

// accept4(2) with SOCK_CLOEXEC, as a number: including its header would hide Glibc's declarations from Swift.
static inline int accept_closed_on_exec(int listener)
{
    return (int)syscall(SYS_accept4, listener, (void *)0, (void *)0, 02000000);
}

// openat2(2), since Linux 5.6: follows no link in any part of the path.
static inline int open_following_no_link(int folder, const char *path, int flags, unsigned mode)
{
    struct open_how how = {.flags = (unsigned)flags, .mode = mode, .resolve = RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

// The magic number of a file system (statfs(2): f_type); 0 if unknown.
static inline unsigned file_system_kind(int file)
{
    struct statfs status;
    return fstatfs(file, &status) == 0 ? (unsigned)status.f_type : 0;
}

// syncfs(2): waits until everything on the file system of an open file is on disk.
static inline int sync_file_system(int file) { return (int)syscall(SYS_syncfs, file); }
