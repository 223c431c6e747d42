/*
 * core/sanitize.h - telling ASan, TSan and valgrind what we do with memory
 * and stacks. Without them each of these is nothing.
 */
#ifndef CH_CORE_SANITIZE_H
#define CH_CORE_SANITIZE_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZE_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZE_ADDRESS 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define SANITIZE_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZE_THREAD 1
#endif
#endif

#ifdef SANITIZE_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
static inline void sanitize_poison(void *p, size_t n)
{
	/* Hides where p is from: gcc takes the call for a read of fresh, uninitialised memory. */
	__asm__("" : "+r"(p));
	__asan_poison_memory_region(p, n);
}
#define sanitize_unpoison(p, n) __asan_unpoison_memory_region((p), (n))
/* About to run on the stack [base, base + size); save: where our fake stack is kept, NULL when we end. */
#define sanitize_leave(save, base, size) __sanitizer_start_switch_fiber((save), (base), (size))
/* Arrived; ret_base and ret_size tell of the stack we came from. */
#define sanitize_arrive(saved, ret_base, ret_size) \
	__sanitizer_finish_switch_fiber((saved), (ret_base), (ret_size))
#else
#define sanitize_poison(p, n) ((void)(p), (void)(n))
#define sanitize_unpoison(p, n) ((void)(p), (void)(n))
#define sanitize_leave(save, base, size) ((void)(save), (void)(base), (void)(size))
#define sanitize_arrive(saved, ret_base, ret_size) ((void)(saved), (void)(ret_base), (void)(ret_size))
#endif

#ifdef SANITIZE_THREAD
#include <sanitizer/tsan_interface.h>
#define sanitize_fiber_new() __tsan_create_fiber(0)
#define sanitize_fiber_free(fiber) __tsan_destroy_fiber(fiber)
#define sanitize_fiber_current() __tsan_get_current_fiber()
#define sanitize_fiber_switch(fiber) __tsan_switch_to_fiber((fiber), 0)
#else
#define sanitize_fiber_new() NULL
#define sanitize_fiber_free(fiber) ((void)(fiber))
#define sanitize_fiber_current() NULL
#define sanitize_fiber_switch(fiber) ((void)(fiber))
#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(start, end) ((void)(start), (void)(end), 0u)
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

#endif
