// Makes the waiting of Swift's Synchronization.Mutex on Linux visible to the thread sanitizer.
//
// The caller takes a free lock with an atomic operation, which the sanitizer sees. The kernel takes a contended lock in
// functions of libswiftSynchronization.so that are not instrumented (stdlib/public/Synchronization/Mutex/
// LinuxImpl.swift), so the sanitizer reports threads that contend for a Mutex as a race. 'make sanitize' links these
// functions instead. If Swift renames its functions, the false alarms return, but no race goes unnoticed.
#include <errno.h>
#include <linux/futex.h>
#include <sanitizer/tsan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

// A method of _MutexHandle, whose only member is the futex word (futex(2)).
#define METHOD(name, symbol, ...) \
	__attribute__((swiftcall)) void name(__VA_ARGS__) __asm__(symbol); \
	__attribute__((swiftcall)) void name(__VA_ARGS__)
#define SELF __attribute__((swift_context)) uint32_t *word

static void futex(uint32_t *word, int operation) {
	while (syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, 0, NULL) != 0)
		if (errno != EINTR && errno != EAGAIN) abort();
}

METHOD(lock_slow, "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF", uint32_t thread, SELF) {
	(void)thread;
	futex(word, FUTEX_LOCK_PI);
	__tsan_acquire(word);
}

METHOD(unlock_slow, "$s15Synchronization12_MutexHandleV11_unlockSlowyyF", SELF) {
	__tsan_release(word);
	futex(word, FUTEX_UNLOCK_PI);
}
