// Interposes on the C library (LD_PRELOAD) and opens files with openat(2) instead of openat2(2), which valgrind does not
// know before version 3.20. The restrictions on the path's resolution are dropped.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...)
{
    static long (*real_syscall)(long, ...);
    long values[6];
    va_list list;
    va_start(list, number);
    for (int index = 0; index < 6; index++) values[index] = va_arg(list, long);
    va_end(list);
    if (number == SYS_openat2) {
        const struct open_how *how = (const struct open_how *)values[2];
        return openat((int)values[0], (const char *)values[1], (int)how->flags, (mode_t)how->mode);
    }
    if (!real_syscall) real_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    return real_syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}
