// What Linux has and Swift's Glibc module leaves out.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/syscall.h>
#include <unistd.h>

// memfd_create(2) with MFD_CLOEXEC.
static inline int memory_file(const char *name) { return (int)syscall(SYS_memfd_create, name, 1U); }
