/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the suites and their harness use of the C library, in terms of the kernel's. Only for tests: a
 * malloc() here is kvmalloc() that may sleep, files do not exist, and what cannot work says so.
 */
#ifndef LINDEX_TEST_LIBC_H
#define LINDEX_TEST_LIBC_H

#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/vmalloc.h>

#ifndef UINT64_MAX
#define UINT64_MAX U64_MAX
#endif
#ifndef UINT32_MAX
#define UINT32_MAX U32_MAX
#endif
#define UINT16_MAX U16_MAX
#define UINT8_MAX  U8_MAX

#define UINT64_C(c) U64_C(c)
#define INT64_C(c)  S64_C(c)

#define PRIu64 "llu"
#define PRId64 "lld"
#define PRIx64 "llx"
#define PRIu32 "u"
#define PRIx32 "x"

void *lindex_test_malloc(size_t bytes);
void *lindex_test_calloc(size_t n, size_t bytes);
void *lindex_test_realloc(void *ptr, size_t bytes);
int lindex_test_memalign(void **out, size_t align, size_t bytes);
void lindex_test_free(void *ptr);
void __noreturn lindex_test_abort(void);

#define malloc(bytes)                     lindex_test_malloc(bytes)
#define calloc(n, bytes)                  lindex_test_calloc(n, bytes)
#define realloc(ptr, bytes)               lindex_test_realloc(ptr, bytes)
#define aligned_alloc(align, bytes)       lindex_test_aligned(align, bytes)
#define posix_memalign(out, align, bytes) lindex_test_memalign(out, align, bytes)
#define free(ptr)                         lindex_test_free(ptr)
#define abort()                           lindex_test_abort()
#define qsort(base, n, size, compare)     sort(base, n, size, compare, NULL)

static inline void *lindex_test_aligned(size_t align, size_t bytes)
{
	void *out;

	return lindex_test_memalign(&out, align, bytes) ? NULL : out;
}

static inline char *getenv(const char *name)
{
	(void)name;
	return NULL;
}

/* Files: there are none. */
typedef struct lindex_test_file FILE;
#define stderr     ((FILE *)NULL)
#define stdout     ((FILE *)NULL)
#define fopen(...) ((FILE *)NULL)
#define tmpfile()  ((FILE *)NULL)
#undef round_up /* a suite has its own */
static inline int fclose(FILE *file)
{
	(void)file;
	return 0;
}
#define rewind(f) ((void)(f))
#define fflush(f) ((void)(f))

static inline char *fgets(char *line, int room, FILE *file)
{
	(void)line;
	(void)room;
	(void)file;
	return NULL;
}
#define fprintf(file, ...) ((void)(file), pr_info("# " __VA_ARGS__))
#define printf(...)        pr_info("# " __VA_ARGS__)

/* Memory maps: plain memory. */
#define PROT_NONE     0
#define PROT_READ     1
#define PROT_WRITE    2
#define MAP_PRIVATE   2
#define MAP_ANONYMOUS 32
#define MAP_FAILED    ((void *)-1L)

void *lindex_test_mmap(size_t bytes);
int lindex_test_mprotect(void *at, size_t bytes, int prot);
void lindex_test_munmap(void *at);

#define mmap(at, bytes, prot, flags, fd, offset) lindex_test_mmap(bytes)
#define mprotect(at, bytes, prot)                lindex_test_mprotect(at, bytes, prot)
#define munmap(at, bytes)                        lindex_test_munmap(at)

#endif
