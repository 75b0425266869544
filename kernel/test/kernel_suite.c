// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What only a kernel can test: allocation with flags that forbid to sleep, updates with interrupts off, alignment of
 * the kernel's allocators, and readers bound to every CPU beside a writer.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/spinlock.h>

#include "criterion/criterion.h"
#include "keys.h"
#include "port.h"
#include "same.h"
#include "world.h"

/* ---- Memory ---------------------------------------------------------------------------------------- */

Test(kernel, memory_is_aligned_whatever_its_size)
{
	size_t bytes;

	for (bytes = 1; bytes < 3 * PAGE_SIZE; bytes += 1 + bytes / 64) {
		size_t align;

		for (align = 8; align <= PAGE_SIZE; align *= 2) {
			void *at = lindex_port_alloc(NULL, bytes, align, 0);

			CHECK(at && !((uintptr_t)at & (align - 1)),
			      "%zu bytes at %p, not aligned to %zu", bytes, at, align);
			lindex_port_free(NULL, at, bytes);
		}
	}
}

struct plain {
	struct lindex_pool *pool;
	struct lindex *ix;
	struct twin twin;
	struct rng rng;
};

/* With the kernel's own allocator, not the harness's. */
static void plain_open(struct plain *p, u64 cap_bytes)
{
	struct lindex_pool_config cfg = { .cap_bytes = cap_bytes };

	CHECK(lindex_pool_create(&cfg, &p->pool) == 0, "pool");
	CHECK(lindex_create(p->pool, NULL, &p->ix) == 0, "index");
	twin_init(&p->twin);
	rng_init(&p->rng, harness_seed(), 100);
}

static void plain_close(struct plain *p)
{
	lindex_free(p->ix);
	CHECK(lindex_pool_free(p->pool) == 0, "an index is left");
	twin_destroy(&p->twin);
}

static struct lindex_run draw(struct rng *rng)
{
	u64 first = rng_below(rng, 1 << 20);

	return RUN(first, first + rng_below(rng, 40), rng_bits(rng, 30), 1, 0);
}

Test(kernel, reserved_updates_run_with_interrupts_off)
{
	static struct lindex_run runs[500];
	static DEFINE_SPINLOCK(lock);
	struct plain p;
	unsigned long flags;
	int round, i, err = 0;

	plain_open(&p, 0);
	for (round = 0; round < 10; round++) {
		harness_step("reserved", round);
		for (i = 0; i < ARRAY_SIZE(runs); i++)
			runs[i] = draw(&p.rng);
		lindex_pool_set_alloc_flags(p.pool, 0);
		CHECK(lindex_reserve(p.ix, ARRAY_SIZE(runs)) == 0, "reserve");
		lindex_pool_set_alloc_flags(p.pool, (__force unsigned int)GFP_NOWAIT);
		spin_lock_irqsave(&lock, flags);
		for (i = 0; i < ARRAY_SIZE(runs) && !err; i++)
			err = lindex_insert(p.ix, &runs[i]);
		spin_unlock_irqrestore(&lock, flags);
		CHECK(!err, "insert %d is %d", i, err);
		for (i = 0; i < ARRAY_SIZE(runs); i++)
			twin_insert(&p.twin, &runs[i]);
		assert_same(p.ix, &p.twin);
	}
	lindex_pool_set_alloc_flags(p.pool, 0);
	plain_close(&p);
}

#define MORE 30000 /* updates whose retired nodes are far over the cap */

/* At the cap an update that may not sleep fails and changes nothing; one that may waits for readers and goes on. */
Test(kernel, updates_sleep_only_where_flags_allow_it)
{
	struct lindex_run *runs;
	int err = 0, done, i;
	struct plain p;

	if (IS_ENABLED(
		    CONFIG_UML)) /* whose timer tick counts as a quiescent state, whatever it interrupts */
		cr_skip_test("user-mode Linux ends grace periods inside read sides");
	runs = malloc(MORE * sizeof(*runs));
	CHECK(runs, "no memory");
	plain_open(&p, 2 << 20);
	for (i = 0; i < MORE; i++)
		runs[i] = draw(&p.rng);
	lindex_pool_set_alloc_flags(p.pool, (__force unsigned int)GFP_NOWAIT);
	rcu_read_lock(); /* holds every grace period back */
	for (done = 0; done < MORE && !err; done += !err)
		err = lindex_insert(p.ix, &runs[done]);
	rcu_read_unlock();
	CHECK(err == -ENOMEM, "after %d inserts %d", done, err);
	for (i = 0; i < done; i++)
		twin_insert(&p.twin, &runs[i]);
	assert_same(p.ix, &p.twin);
	lindex_pool_set_alloc_flags(p.pool, (__force unsigned int)GFP_KERNEL);
	for (; i < done + 2000 && i < MORE; i++) {
		CHECK(lindex_insert(p.ix, &runs[i]) == 0, "insert %d after waiting", i);
		twin_insert(&p.twin, &runs[i]);
	}
	assert_same(p.ix, &p.twin);
	plain_close(&p);
	free(runs);
}

/* ---- Every CPU -------------------------------------------------------------------------------------- */

#define SPAN     32768
#define REWRITES 20000

/* Of the first key of any run that is ever stored. */
static u64 value_of(u64 key)
{
	return key + key / 16;
}

static struct {
	struct lindex *ix;
	bool stop;
	atomic_t running, wrong;
	atomic64_t lookups;
} readers;

static int read_on_cpu(void *unused)
{
	struct lindex_run run;
	struct rng rng;
	u64 count = 0;

	rng_init(&rng, harness_seed(), raw_smp_processor_id());
	atomic_inc(&readers.running);
	while (!READ_ONCE(readers.stop)) {
		int i, err;

		rcu_read_lock();
		for (i = 0; i < 100; i++, count++) {
			u64 key = rng_below(&rng, SPAN);

			err = lindex_lookup(readers.ix, key, &run);
			if (run.first > key || run.last < key || (err && err != -ENOENT) ||
			    (!err && run.value != value_of(run.first)))
				atomic_inc(&readers.wrong);
		}
		rcu_read_unlock();
		cond_resched();
	}
	atomic64_add(count, &readers.lookups);
	atomic_dec(&readers.running);
	return 0;
}

/* Overwrites, cuts and joins would break value_of(), so whole runs come and go at multiples of 16. */
static void rewrite(struct plain *p)
{
	u64 first = rng_below(&p->rng, SPAN / 16) * 16;
	struct lindex_run run = RUN(first, first + 15, value_of(first), 0, rng_below(&p->rng, 9));

	if (rng_one_in(&p->rng, 3)) {
		CHECK(lindex_remove(p->ix, first, first + 15) == 0, "remove");
		twin_remove(&p->twin, first, first + 15);
		return;
	}
	CHECK(lindex_insert(p->ix, &run) == 0, "insert");
	twin_insert(&p->twin, &run);
}

Test(kernel, readers_on_every_cpu_see_whole_runs_beside_a_writer)
{
	struct task_struct *task;
	struct plain p;
	int cpu, i;

	plain_open(&p, 0);
	memset(&readers, 0, sizeof(readers));
	readers.ix = p.ix;
	for (i = 0; i < 20000; i++)
		rewrite(&p);
	for_each_online_cpu(cpu) {
		task = kthread_create(read_on_cpu, NULL, "lindex_cpu%d", cpu);
		CHECK(!IS_ERR(task), "thread");
		kthread_bind(task, cpu);
		wake_up_process(task);
	}
	while (atomic_read(&readers.running) < num_online_cpus())
		msleep(20);
	for (i = 0; i < REWRITES; i++) {
		rewrite(&p);
		harness_step("rewrite", i);
	}
	WRITE_ONCE(readers.stop, true);
	while (atomic_read(&readers.running))
		msleep(20);
	pr_info("# %u CPUs, %lld lookups beside %d updates\n", num_online_cpus(),
		(long long)atomic64_read(&readers.lookups), REWRITES);
	CHECK(!atomic_read(&readers.wrong), "%d wrong answers", atomic_read(&readers.wrong));
	assert_same(p.ix, &p.twin);
	plain_close(&p);
}
