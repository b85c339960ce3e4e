// What Linux has and Swift's Glibc module leaves out.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>

// fcntl.h has these for _GNU_SOURCE only: see sync_file_range(2).
#ifndef SYNC_FILE_RANGE_WRITE
#define SYNC_FILE_RANGE_WRITE 2
int sync_file_range(int descriptor, off_t offset, off_t length, unsigned int flags);
#endif
