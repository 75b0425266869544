/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Native speed: see bench_native.h.
 */
#include "bench_native.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "vmmap.h"

#define VA_BASE    UINT64_C(0x7f0000000000)
#define PAGES      (UINT64_C(1) << 24)
#define QUERIES    (UINT64_C(1) << 21)
#define ROUNDS     5u
#define ROUNDS_MAX 64u
#define BATCH      256u
#define CHANGES    100000u
#define COPIES     20000u
#define PFN_BASE   0x1000u
#define HUGE_BYTES (UINT64_C(2) << 20)
#define PROT       (VMMAP_PROT_READ | VMMAP_PROT_WRITE | VMMAP_PROT_USER)

struct pair {
	uint64_t key, value;
};

struct subject {
	struct vmmap_host *host;
	struct vmmap_space *space;
	double times[3][ROUNDS_MAX]; /* throughput, dependent, batch */
};

struct bench {
	struct bench_native_config cfg;
	uint64_t rng;
	uint32_t *frame; /* of each page, without PFN_BASE */
	uint32_t *query; /* pages to ask for */
	struct pair *pairs;
	struct subject subject[BENCH_NATIVE_ROWS];
	unsigned int n; /* rows; 0 is the limit */
	bool wrong;
};

static double read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Of this thread: what others on the machine take of the processor is not counted. */
static double now_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static uint64_t next(struct bench *b)
{
	uint64_t z = (b->rng += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void say(const struct bench *b, const char *what, unsigned int done, unsigned int of)
{
	if (b->cfg.progress)
		b->cfg.progress(b->cfg.ctx, what, done, of);
}

static vmmap_va_t va_of(uint64_t page)
{
	return VA_BASE + page * VMMAP_PAGE_BYTES;
}

/* ---- The mapping -------------------------------------------------------------------------------------- */

/* Runs of frames, in random order: each as long as the mean allows, from 1 to twice the mean. */
static int make_frames(struct bench *b)
{
	uint64_t n = b->cfg.pages, runs = 0, most = 2 * b->cfg.run_pages - 1, at = 0;
	uint32_t *start = malloc((n + 1) * sizeof(*start));

	if (!start)
		return -ENOMEM;
	for (uint64_t i = 0; i < n; i += 1 + next(b) % most)
		start[runs++] = (uint32_t)i;
	start[runs] = (uint32_t)n;
	/* Virtual order is a random one of the physical pieces: start[] is shuffled as pairs would be. */
	uint32_t *order = malloc(runs * sizeof(*order));

	if (!order) {
		free(start);
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < runs; i++)
		order[i] = (uint32_t)i;
	for (uint64_t i = runs; i-- > 1;) {
		uint64_t j = next(b) % (i + 1);
		uint32_t t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (uint64_t i = 0; i < runs; i++)
		for (uint32_t f = start[order[i]]; f < start[order[i] + 1]; f++)
			b->frame[at++] = f;
	free(order);
	free(start);
	return 0;
}

static struct vmmap_extent *make_extents(const struct bench *b, size_t *out)
{
	struct vmmap_extent *e = malloc(b->cfg.pages * sizeof(*e));
	size_t n = 0;

	for (uint64_t i = 0; e && i < b->cfg.pages; i++) {
		if (i && b->frame[i] == b->frame[i - 1] + 1)
			e[n - 1].pages++;
		else
			e[n++] = (struct vmmap_extent){ .va = va_of(i),
							.pages = 1,
							.pfn = PFN_BASE + b->frame[i],
							.prot = PROT,
							.shift = VMMAP_4K };
	}
	*out = n;
	return e;
}

static int make_subject(struct bench *b, const struct vmmap_extent *extents, size_t n,
			struct bench_native_row *row)
{
	struct subject *s = &b->subject[b->n];
	const struct vmmap_host_config host = { .flags = b->cfg.huge ? VMMAP_HOST_HUGE : 0 };
	const struct vmmap_space_config space = { .backend = row->backend };
	struct vmmap_stats st;
	double begin;
	int err = vmmap_host_create(&host, &s->host);

	err = err ? err : vmmap_space_create(s->host, &space, &s->space);
	begin = now_ns();
	err = err ? err : vmmap_load(s->space, extents, n, NULL);
	if (err)
		return err;
	row->load = (now_ns() - begin) / (double)b->cfg.pages;
	vmmap_get_stats(s->space, &st);
	row->table_bytes = st.table_bytes;
	row->host_bytes = st.host_bytes;
	b->n++;
	return 0;
}

static int make_pairs(struct bench *b)
{
	size_t bytes = b->cfg.pages * sizeof(*b->pairs);

	if (posix_memalign((void **)&b->pairs, HUGE_BYTES, bytes))
		return -ENOMEM;
	if (b->cfg.huge)
		madvise(b->pairs, bytes, MADV_HUGEPAGE);
	for (uint64_t i = 0; i < b->cfg.pages; i++)
		b->pairs[i] = (struct pair){ i, PFN_BASE + b->frame[i] };
	return 0;
}

/* ---- Rounds ---------------------------------------------------------------------------------------------- */

/* The chain: the next page asked for hangs on the frame before. The barrier keeps the compiler from seeing through it. */
static inline uint64_t chained(const struct bench *b, uint64_t i, uint64_t frame)
{
	__asm__ volatile("" : "+r"(frame));
	return (b->query[i] + frame) % b->cfg.pages;
}

static double limit_throughput(struct bench *b, uint64_t *sum)
{
	double begin = now_ns();

	for (uint64_t i = 0; i < b->cfg.queries; i++)
		*sum += b->pairs[b->query[i]].value;
	return now_ns() - begin;
}

static double limit_dependent(struct bench *b, uint64_t *sum)
{
	uint64_t frame = 0;
	double begin = now_ns();

	for (uint64_t i = 0; i < b->cfg.queries / 4; i++) {
		frame = b->pairs[chained(b, i, frame)].value;
		*sum += frame;
	}
	return 4 * (now_ns() - begin);
}

static double throughput(struct bench *b, struct vmmap_space *space, uint64_t *sum)
{
	struct vmmap_answer a;
	double begin = now_ns();

	for (uint64_t i = 0; i < b->cfg.queries; i++) {
		vmmap_translate(space, va_of(b->query[i]), VMMAP_USER, &a);
		*sum += a.pa / VMMAP_PAGE_BYTES;
	}
	return now_ns() - begin;
}

static double dependent(struct bench *b, struct vmmap_space *space, uint64_t *sum)
{
	struct vmmap_answer a = { 0 };
	double begin = now_ns();

	for (uint64_t i = 0; i < b->cfg.queries / 4; i++) {
		vmmap_translate(space, va_of(chained(b, i, a.pa / VMMAP_PAGE_BYTES)), VMMAP_USER,
				&a);
		*sum += a.pa / VMMAP_PAGE_BYTES;
	}
	return 4 * (now_ns() - begin);
}

static double batch(struct bench *b, struct vmmap_space *space, uint64_t *sum)
{
	struct vmmap_answer a[BATCH];
	vmmap_va_t vas[BATCH];
	double begin = now_ns();

	for (uint64_t i = 0; i + BATCH <= b->cfg.queries; i += BATCH) {
		for (unsigned int k = 0; k < BATCH; k++)
			vas[k] = va_of(b->query[i + k]);
		vmmap_translate_batch(space, vas, BATCH, VMMAP_USER, a);
		for (unsigned int k = 0; k < BATCH; k++)
			*sum += a[k].pa / VMMAP_PAGE_BYTES;
	}
	return now_ns() - begin;
}

static void one_round(struct bench *b, unsigned int round)
{
	uint64_t want[3] = { 0 };

	for (unsigned int i = 0; i < b->n; i++) {
		struct subject *s = &b->subject[i];
		uint64_t sum[3] = { 0 };

		s->times[0][round] = i ? throughput(b, s->space, &sum[0]) :
					 limit_throughput(b, &sum[0]);
		s->times[1][round] = i ? dependent(b, s->space, &sum[1]) :
					 limit_dependent(b, &sum[1]);
		s->times[2][round] = i ? batch(b, s->space, &sum[2]) : limit_throughput(b, &sum[2]);
		if (!i)
			memcpy(want, sum, sizeof(want));
		b->wrong |= memcmp(want, sum, sizeof(want)) != 0;
	}
}

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

static double median(double *times, uint64_t rounds, uint64_t queries)
{
	qsort(times, rounds, sizeof(*times), by_value);
	return times[rounds / 2] / (double)queries;
}

/* ---- Changes ------------------------------------------------------------------------------------------------ */

static uint64_t changes_of(const struct bench *b)
{
	return b->cfg.pages / 4 < CHANGES ? b->cfg.pages / 4 : CHANGES;
}

/* Single pages go, in random order, and come back with their frames. */
static int change(struct bench *b, struct vmmap_space *space, struct bench_native_row *row)
{
	uint64_t n = changes_of(b), stride = b->cfg.pages / n, done = 0;
	double *single = malloc(n * sizeof(*single)), begin;
	uint32_t *page = malloc(n * sizeof(*page));
	int err = single && page ? 0 : -ENOMEM;

	for (uint64_t i = 0; i < n && !err; i++)
		page[i] = (uint32_t)(i * stride + next(b) % stride);
	for (uint64_t i = n; i-- > 1 && !err;) {
		uint64_t j = next(b) % (i + 1);
		uint32_t t = page[i];

		page[i] = page[j];
		page[j] = t;
	}
	begin = now_ns();
	for (uint64_t i = 0; i < n && !err; i++)
		err = vmmap_unmap(space, va_of(page[i]), 1);
	row->unmap = (now_ns() - begin) / (double)n;
	for (uint64_t half = 0; half < 2 && !err; half++) { /* the second half call by call */
		uint64_t end = half ? n : n / 2;

		begin = now_ns();
		for (; done < end && !err; done++) {
			/* The clock of the thread takes longer to read than the call. */
			double from = half ? read_clock(CLOCK_MONOTONIC) : 0;

			err = vmmap_map(space, va_of(page[done]), 1,
					PFN_BASE + b->frame[page[done]], PROT, VMMAP_4K);
			if (half)
				single[done - n / 2] = read_clock(CLOCK_MONOTONIC) - from;
		}
		if (!half)
			row->fault_in = (now_ns() - begin) / (double)(n / 2);
	}
	if (!err) {
		qsort(single, n - n / 2, sizeof(*single), by_value);
		row->fault_in_p999 = single[(n - n / 2) * 999 / 1000];
	}
	free(single);
	free(page);
	return err;
}

static int fork_and_copy(struct bench *b, struct vmmap_space *space, struct bench_native_row *row)
{
	uint64_t n = b->cfg.pages / 4 < COPIES ? b->cfg.pages / 4 : COPIES;
	struct vmmap_stats before, parent, child_st;
	struct vmmap_space *child;
	double begin;
	int err;

	vmmap_get_stats(space, &before);
	begin = now_ns();
	err = vmmap_fork(space, &child);
	if (err)
		return err;
	row->fork = (now_ns() - begin) / (double)b->cfg.pages;
	vmmap_get_stats(space, &parent);
	vmmap_get_stats(child, &child_st);
	row->fork_bytes = (double)(parent.table_bytes + child_st.table_bytes -
				   parent.shared_bytes) /
			  (double)before.table_bytes;
	begin = now_ns();
	for (uint64_t i = 0; i < n && !err; i++) {
		err = vmmap_cow(child, va_of(b->query[i]), PFN_BASE + b->cfg.pages + i, NULL);
		err = err == -EINVAL ? 0 : err; /* copied before */
	}
	row->cow = (now_ns() - begin) / (double)n;
	vmmap_space_free(child);
	return err;
}

/* Whether @name is one of @list, which has commas. */
static bool in_list(const char *list, const char *name)
{
	size_t len = strlen(name), n;

	for (;; list += n + 1) {
		n = strcspn(list, ",");
		if (n == len && memcmp(list, name, n) == 0)
			return true;
		if (!list[n])
			return false;
	}
}

/* ---- All of it ---------------------------------------------------------------------------------------------- */

static int make_all(struct bench *b, struct bench_native_row *rows)
{
	struct vmmap_extent *extents = NULL;
	size_t n;
	int err;

	b->frame = malloc(b->cfg.pages * sizeof(*b->frame));
	b->query = malloc(b->cfg.queries * sizeof(*b->query));
	err = b->frame && b->query ? make_frames(b) : -ENOMEM;
	err = err ? err : make_pairs(b);
	if (err)
		return err;
	for (uint64_t i = 0; i < b->cfg.queries; i++)
		b->query[i] = (uint32_t)(next(b) % b->cfg.pages);
	rows[b->n++] = (struct bench_native_row){ .backend = "limit",
						  .load = -1,
						  .unmap = -1,
						  .fault_in = -1,
						  .fault_in_p999 = -1,
						  .fork = -1,
						  .cow = -1,
						  .fork_bytes = -1 };
	extents = make_extents(b, &n);
	err = extents ? 0 : -ENOMEM;
	for (unsigned int i = 0; vmmap_backend_name(i) && !err; i++) {
		const char *name = vmmap_backend_name(i);

		if (b->cfg.backend && !in_list(b->cfg.backend, name))
			continue;
		say(b, name, i, 0);
		rows[b->n] = (struct bench_native_row){ .backend = name };
		err = make_subject(b, extents, n, &rows[b->n]);
	}
	free(extents);
	return err || b->n > 1 ? err : -ENOENT;
}

static int measure(struct bench *b, struct bench_native_row *rows)
{
	int err = 0;

	for (unsigned int round = 0; round < b->cfg.rounds; round++) {
		say(b, "round", round, (unsigned int)b->cfg.rounds);
		if (!round) /* warm: accessed bits are set here */
			one_round(b, 0);
		one_round(b, round);
	}
	for (unsigned int i = 0; i < b->n; i++) {
		double(*times)[ROUNDS_MAX] = b->subject[i].times;

		rows[i].throughput = median(times[0], b->cfg.rounds, b->cfg.queries);
		rows[i].dependent = median(times[1], b->cfg.rounds, b->cfg.queries);
		rows[i].batch = median(times[2], b->cfg.rounds, b->cfg.queries);
	}
	for (unsigned int i = 1; i < b->n && !err; i++) {
		say(b, rows[i].backend, i, b->n);
		err = change(b, b->subject[i].space, &rows[i]);
	}
	if (!err)
		one_round(b, 0); /* all pages are back */
	for (unsigned int i = 1; i < b->n && !err; i++)
		err = fork_and_copy(b, b->subject[i].space, &rows[i]);
	if (!err)
		one_round(b, 0); /* what the child copied is not the parent's */
	return err ? err : b->wrong ? -EUCLEAN : (int)b->n;
}

int bench_native_run(const struct bench_native_config *cfg, struct bench_native_row *rows)
{
	struct bench *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	b->cfg = *cfg;
	b->rng = cfg->seed;
	b->cfg.pages = cfg->pages ? cfg->pages : PAGES;
	b->cfg.run_pages = cfg->run_pages ? cfg->run_pages : 1;
	b->cfg.queries = cfg->queries ? cfg->queries : QUERIES;
	b->cfg.rounds = cfg->rounds ? cfg->rounds : ROUNDS;
	if (b->cfg.rounds > ROUNDS_MAX || b->cfg.pages >> 31 || b->cfg.pages < 1024 ||
	    b->cfg.queries < BATCH || b->cfg.run_pages > b->cfg.pages) {
		free(b);
		return -EINVAL;
	}
	err = make_all(b, rows);
	err = err ? err : measure(b, rows);
	for (unsigned int i = 1; i < BENCH_NATIVE_ROWS; i++) {
		vmmap_space_free(b->subject[i].space);
		vmmap_host_free(b->subject[i].host);
	}
	free(b->frame);
	free(b->query);
	free(b->pairs);
	free(b);
	return err;
}
