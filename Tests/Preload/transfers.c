// Interposes on the C library (LD_PRELOAD) and makes transfers behave as the kernel allows but rarely does.
//
// LPS_SHORT=n     read(2), pread(2), write(2) and pwrite(2) of files, pipes and sockets, except standard error,
//                 transfer at most 1 to n bytes, one more at each call.
// LPS_CLOSE=errno close(2) of a file closes it and then fails with errno.
// LPS_FLIP=n      The n-th pread(2) of a file returns one flipped bit.
// LPS_COUNT=path  The number of changed calls is written to this file.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long short_limit, close_error, flipped;
static atomic_ulong turns, reads, changed;
static int count_file = -1;

static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_close)(int);

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((constructor)) static void prepare(void)
{
    real_read = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    real_write = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    real_pread = (ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread");
    real_pwrite = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    real_close = (int (*)(int))dlsym(RTLD_NEXT, "close");
    short_limit = number("LPS_SHORT");
    close_error = number("LPS_CLOSE");
    flipped = number("LPS_FLIP");
    const char *path = getenv("LPS_COUNT");
    if (path) count_file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static void count(void)
{
    char text[32];
    int error = errno;
    int length = snprintf(text, sizeof text, "%lu\n", atomic_fetch_add(&changed, 1) + 1);
    if (count_file >= 0 && real_pwrite(count_file, text, (size_t)length, 0) < 0) abort();
    errno = error;
}

static mode_t kind(int file)
{
    struct stat status;
    int error = errno;
    mode_t kind = fstat(file, &status) == 0 ? status.st_mode & S_IFMT : 0;
    errno = error;
    return kind;
}

static size_t part(int file, size_t wanted)
{
    if (short_limit <= 0 || wanted <= 1) return wanted;
    // Threads share the pipe, and parts of their lines would mix.
    if (file == STDERR_FILENO) return wanted;
    mode_t of = kind(file);
    // An eventfd(2), which has no file type, transfers 8 bytes or none.
    if (of != S_IFREG && of != S_IFIFO && of != S_IFSOCK) return wanted;
    size_t most = atomic_fetch_add(&turns, 1) % (size_t)short_limit + 1;
    if (most >= wanted) return wanted;
    count();
    return most;
}

ssize_t read(int file, void *buffer, size_t size) { return real_read(file, buffer, part(file, size)); }

ssize_t write(int file, const void *buffer, size_t size) { return real_write(file, buffer, part(file, size)); }

ssize_t pwrite(int file, const void *buffer, size_t size, off_t offset)
{
    return real_pwrite(file, buffer, part(file, size), offset);
}

ssize_t pwrite64(int file, const void *buffer, size_t size, off_t offset) { return pwrite(file, buffer, size, offset); }

ssize_t pread(int file, void *buffer, size_t size, off_t offset)
{
    ssize_t moved = real_pread(file, buffer, part(file, size), offset);
    if (flipped > 0 && moved > 0 && kind(file) == S_IFREG && (long)atomic_fetch_add(&reads, 1) + 1 == flipped) {
        ((unsigned char *)buffer)[moved / 2] ^= 1;
        count();
    }
    return moved;
}

ssize_t pread64(int file, void *buffer, size_t size, off_t offset) { return pread(file, buffer, size, offset); }

int close(int file)
{
    int is_file = close_error > 0 && kind(file) == S_IFREG;
    int closed = real_close(file);
    if (closed != 0 || !is_file) return closed;
    count();
    errno = (int)close_error;
    return -1;
}
