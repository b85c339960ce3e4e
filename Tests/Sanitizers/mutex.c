// What Mutex of Swift's Synchronization does on Linux when a thread has to wait, told to the thread sanitizer.
//
// A lock that is free is taken by an atomic operation in the caller, which the sanitizer sees; one that is not, by the
// kernel, in functions of libswiftSynchronization.so, which nothing tells it of (stdlib/public/Synchronization/Mutex/
// LinuxImpl.swift). So it takes each two threads that meet at a Mutex for a race. 'make sanitize' links these in their
// place. Should Swift rename its functions, the false alarms come back, and no race is overlooked.
#include <errno.h>
#include <linux/futex.h>
#include <sanitizer/tsan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

// A method of _MutexHandle, whose only member is the futex's word (futex(2)).
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
