/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The only door to the outside. lindex's sources include this file and each other, nothing else.
 *
 * What a port provides:
 *   types          fixed-width integers, bool, size_t, errno values
 *   bytes          memcpy, memmove, memset; little-endian loads and stores at any alignment
 *   bits           count of leading and trailing zeroes (never called with 0), population count
 *   order          load-acquire, store-release, relaxed load and store of aligned words
 *   memory         the default allocator, whether its flags let a caller sleep, hints, prefetch
 *   grace periods  start one, ask whether it is over, wait for it
 *
 * User space has two builds: hosted (libc, and liburcu where LINDEX_RCU is defined) and
 * LINDEX_FREESTANDING, which needs the compiler and the symbols below and has no default allocator
 * (lindex_pool_create() then wants one).
 *
 * PORT-SYMBOLS-BEGIN
 * memcpy
 * memmove
 * memset
 * PORT-SYMBOLS-END
 */
#ifndef LINDEX_PORT_H
#define LINDEX_PORT_H

#ifdef __KERNEL__
/* ---- The kernel ---------------------------------------------------------------------------- */
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#ifndef CONFIG_64BIT
#error "lindex: readers load words of 64 bits beside the writer: depends on 64BIT"
#endif

#define LINDEX_STATIC_ASSERT(cond, text) static_assert(cond, text)
#define lindex_likely(x)                 likely(x)
#define lindex_unlikely(x)               unlikely(x)
#define LINDEX_ALWAYS_INLINE             __always_inline
#define LINDEX_NOINLINE                  noinline
#define LINDEX_COLD                      __cold noinline /* seldom run: compiled for size */
#define LINDEX_LINE_ALIGNED              __attribute__((aligned(64)))
#define LINDEX_ALIGNED(n)                __aligned(n)
#ifndef UINT64_MAX
#define UINT64_MAX U64_MAX
#endif
#ifndef UINT32_MAX
#define UINT32_MAX U32_MAX
#endif

typedef __le16 lindex_le16;
typedef __le32 lindex_le32;
typedef __le64 lindex_le64;

static inline uint16_t lindex_from16(lindex_le16 v)
{
	return le16_to_cpu(v);
}
static inline uint32_t lindex_from32(lindex_le32 v)
{
	return le32_to_cpu(v);
}
static inline uint64_t lindex_from64(lindex_le64 v)
{
	return le64_to_cpu(v);
}
static inline lindex_le16 lindex_to16(uint16_t v)
{
	return cpu_to_le16(v);
}
static inline lindex_le32 lindex_to32(uint32_t v)
{
	return cpu_to_le32(v);
}
static inline lindex_le64 lindex_to64(uint64_t v)
{
	return cpu_to_le64(v);
}
static inline uint16_t lindex_ld16(const void *p)
{
	return get_unaligned_le16(p);
}
static inline uint32_t lindex_ld32(const void *p)
{
	return get_unaligned_le32(p);
}
static inline uint64_t lindex_ld64(const void *p)
{
	return get_unaligned_le64(p);
}
static inline void lindex_st16(void *p, uint16_t v)
{
	put_unaligned_le16(v, p);
}
static inline void lindex_st32(void *p, uint32_t v)
{
	put_unaligned_le32(v, p);
}
static inline void lindex_st64(void *p, uint64_t v)
{
	put_unaligned_le64(v, p);
}

static inline unsigned int lindex_clz64(uint64_t v)
{
	return 64u - (unsigned int)fls64(v);
}
static inline unsigned int lindex_ctz64(uint64_t v)
{
	return (unsigned int)__ffs64(v);
}
static inline unsigned int lindex_popcount64(uint64_t v)
{
	return (unsigned int)hweight64(v);
}
static inline uint64_t lindex_div64(uint64_t a, uint32_t b)
{
	return div_u64(a, b);
}

#define lindex_load_acquire(p)     smp_load_acquire(p)
#define lindex_store_release(p, v) smp_store_release(p, v)
#define lindex_load_relaxed(p)     READ_ONCE(*(p))
#define lindex_store_relaxed(p, v) WRITE_ONCE(*(p), v)
#define lindex_prefetch(p)         prefetch(p)
#define lindex_prefetch_write(p)   prefetchw(p)
#define LINDEX_PORT_GROUP          16u /* keys of a batch that go together: stack is short */

static inline void *lindex_port_alloc(void *ctx, size_t bytes, size_t align, unsigned int flags)
{
	(void)ctx;
	/* kmalloc() aligns a power of two to its size, and what is larger than a page to a page, as vmalloc() does. */
	bytes = max_t(size_t, bytes, min_t(size_t, align, PAGE_SIZE));
	if (bytes < PAGE_SIZE)
		bytes = roundup_pow_of_two(bytes);
	return kvmalloc(bytes, flags ? (__force gfp_t)flags : GFP_KERNEL);
}
static inline void lindex_port_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	kvfree(ptr);
}
/* In a walk over a whole image, which may have gigabytes: others may run. */
static inline void lindex_port_relax(void)
{
	cond_resched();
}
static inline bool lindex_port_may_sleep(unsigned int flags)
{
	return gfpflags_allow_blocking(flags ? (__force gfp_t)flags : GFP_KERNEL);
}
static inline void lindex_port_want_huge(void *ptr, size_t bytes)
{
	(void)ptr;
	(void)bytes;
}
static inline void lindex_port_want_now(void *ptr, size_t bytes)
{
	(void)ptr;
	(void)bytes;
}
#define LINDEX_PORT_HAS_ALLOC 1

#define LINDEX_PORT_GP_BLOCKS 0
#define LINDEX_PORT_RCU       1 /* readers may be beside the writer */
struct lindex_port_gp {
	unsigned long cookie;
};
static inline void lindex_port_gp_start(struct lindex_port_gp *gp)
{
	gp->cookie = start_poll_synchronize_rcu();
}
static inline bool lindex_port_gp_done(const struct lindex_port_gp *gp)
{
	return poll_state_synchronize_rcu(gp->cookie);
}
static inline void lindex_port_gp_wait(struct lindex_port_gp *gp)
{
	cond_synchronize_rcu(gp->cookie);
}

#else
/* ---- User space ---------------------------------------------------------------------------- */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef LINDEX_FREESTANDING
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
#else
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef LINDEX_RCU
#define RCU_MEMBARRIER
#include <urcu.h>
#endif
#endif

#define LINDEX_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#define lindex_likely(x)                 __builtin_expect(!!(x), 1)
#define lindex_unlikely(x)               __builtin_expect(!!(x), 0)
#define LINDEX_ALWAYS_INLINE             inline __attribute__((always_inline))
#define LINDEX_NOINLINE                  __attribute__((noinline))
#define LINDEX_COLD                      __attribute__((cold, noinline)) /* seldom run: compiled for size */
#define LINDEX_LINE_ALIGNED              __attribute__((aligned(64)))
#define LINDEX_ALIGNED(n)                __attribute__((aligned(n)))

typedef uint16_t lindex_le16;
typedef uint32_t lindex_le32;
typedef uint64_t lindex_le64;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
static inline uint16_t lindex_from16(lindex_le16 v)
{
	return __builtin_bswap16(v);
}
static inline uint32_t lindex_from32(lindex_le32 v)
{
	return __builtin_bswap32(v);
}
static inline uint64_t lindex_from64(lindex_le64 v)
{
	return __builtin_bswap64(v);
}
#else
static inline uint16_t lindex_from16(lindex_le16 v)
{
	return v;
}
static inline uint32_t lindex_from32(lindex_le32 v)
{
	return v;
}
static inline uint64_t lindex_from64(lindex_le64 v)
{
	return v;
}
#endif
static inline lindex_le16 lindex_to16(uint16_t v)
{
	return lindex_from16(v);
}
static inline lindex_le32 lindex_to32(uint32_t v)
{
	return lindex_from32(v);
}
static inline lindex_le64 lindex_to64(uint64_t v)
{
	return lindex_from64(v);
}

static inline uint16_t lindex_ld16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return lindex_from16(v);
}
static inline uint32_t lindex_ld32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return lindex_from32(v);
}
static inline uint64_t lindex_ld64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return lindex_from64(v);
}
static inline void lindex_st16(void *p, uint16_t v)
{
	v = lindex_from16(v);
	memcpy(p, &v, sizeof(v));
}
static inline void lindex_st32(void *p, uint32_t v)
{
	v = lindex_from32(v);
	memcpy(p, &v, sizeof(v));
}
static inline void lindex_st64(void *p, uint64_t v)
{
	v = lindex_from64(v);
	memcpy(p, &v, sizeof(v));
}

static inline unsigned int lindex_clz64(uint64_t v)
{
	return (unsigned int)__builtin_clzll(v);
}
static inline unsigned int lindex_ctz64(uint64_t v)
{
	return (unsigned int)__builtin_ctzll(v);
}
static inline unsigned int lindex_popcount64(uint64_t v)
{
#ifdef __POPCNT__
	return (unsigned int)__builtin_popcountll(v);
#else /* the builtin would be a call into libgcc */
	v -= (v >> 1) & 0x5555555555555555u;
	v = (v & 0x3333333333333333u) + ((v >> 2) & 0x3333333333333333u);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (unsigned int)((v * 0x0101010101010101u) >> 56);
#endif
}
/* A 64-bit dividend and a 32-bit divisor: 32-bit machines have no cheaper general division. */
static inline uint64_t lindex_div64(uint64_t a, uint32_t b)
{
	return a / b;
}

/*
 * Words of up to 8 bytes that readers load beside the writer must not tear: where there is RCU, 8 bytes have
 * to be lock-free. Without it they exclude each other, and plain accesses do: on 32-bit targets these are not
 * calls into libatomic.
 */
#if defined(LINDEX_RCU) || __SIZEOF_POINTER__ >= 8
LINDEX_STATIC_ASSERT(__atomic_always_lock_free(8, 0), "readers beside a writer: 8-byte atomics");
#define lindex_load_acquire(p)     __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define lindex_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define lindex_load_relaxed(p)     __atomic_load_n(p, __ATOMIC_RELAXED)
#define lindex_store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#else
#define lindex_load_acquire(p)     (*(volatile __typeof__(*(p)) *)(p))
#define lindex_store_release(p, v) (*(volatile __typeof__(*(p)) *)(p) = (v))
#define lindex_load_relaxed(p)     lindex_load_acquire(p)
#define lindex_store_relaxed(p, v) lindex_store_release(p, v)
#endif
#define lindex_prefetch(p)       __builtin_prefetch(p)
#define lindex_prefetch_write(p) __builtin_prefetch(p, 1)
#define LINDEX_PORT_GROUP        64u /* keys of a batch that go together */

#ifdef LINDEX_FREESTANDING
#define LINDEX_PORT_HAS_ALLOC 0
static inline void *lindex_port_alloc(void *ctx, size_t bytes, size_t align, unsigned int flags)
{
	(void)ctx;
	(void)bytes;
	(void)align;
	(void)flags;
	return NULL;
}
static inline void lindex_port_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)ptr;
	(void)bytes;
}
static inline void lindex_port_want_huge(void *ptr, size_t bytes)
{
	(void)ptr;
	(void)bytes;
}
static inline void lindex_port_want_now(void *ptr, size_t bytes)
{
	(void)ptr;
	(void)bytes;
}
#else
#define LINDEX_PORT_HAS_ALLOC 1
static inline void *lindex_port_alloc(void *ctx, size_t bytes, size_t align, unsigned int flags)
{
	(void)ctx;
	(void)flags;
	return aligned_alloc(align, (bytes + align - 1) / align * align);
}
static inline void lindex_port_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(ptr);
}
static inline void lindex_port_want_huge(void *ptr, size_t bytes)
{
#ifdef MADV_HUGEPAGE
	(void)madvise(ptr, bytes, MADV_HUGEPAGE); /* a hint: refusal costs nothing but speed */
#else
	(void)ptr;
	(void)bytes;
#endif
}
/* Pages of fresh memory at once: an update that meets many page faults one by one is a slow one. */
static inline void lindex_port_want_now(void *ptr, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
	(void)madvise(ptr, bytes, MADV_POPULATE_WRITE); /* a hint too */
#else
	(void)ptr;
	(void)bytes;
#endif
}
#endif

static inline void lindex_port_relax(void) {}

static inline bool lindex_port_may_sleep(unsigned int flags)
{
	(void)flags;
	return true;
}

/*
 * Grace periods. User space waits when one is started: liburcu 0.13 has no polling, and its
 * call_rcu() worker sleeps 10 ms at a time, by which time a busy writer has retired megabytes. The
 * memb flavour's synchronize_rcu() costs some microseconds, and is called once per many updates.
 */
#define LINDEX_PORT_GP_BLOCKS 1 /* gp_start() returns when the grace period is over */
#ifdef LINDEX_RCU
#define LINDEX_PORT_RCU 1 /* readers may be beside the writer */
#else
#define LINDEX_PORT_RCU 0
#endif
struct lindex_port_gp {
	int unused;
};
static inline void lindex_port_gp_start(struct lindex_port_gp *gp)
{
	(void)gp;
#if defined(LINDEX_RCU) && !defined(LINDEX_FREESTANDING)
	synchronize_rcu();
#endif
}
static inline bool lindex_port_gp_done(const struct lindex_port_gp *gp)
{
	(void)gp;
	return true;
}
static inline void lindex_port_gp_wait(struct lindex_port_gp *gp)
{
	(void)gp;
}
#endif /* user space */

#endif /* LINDEX_PORT_H */
