/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A stranger's program: ten lines that store a run and ask for a key in it. */
#include <lindex.h>

int main(void)
{
	struct lindex_run run = { .first = 100, .last = 199, .value = 5000, .step = 1 };
	struct lindex_pool *pool;
	struct lindex *ix;

	if (lindex_pool_create(NULL, &pool) || lindex_create(pool, NULL, &ix) ||
	    lindex_insert(ix, &run))
		return 1;
	if (lindex_lookup(ix, 150, &run) || lindex_value(&run, 150) != 5050)
		return 2;
	lindex_free(ix);
	return lindex_pool_free(pool) ? 3 : 0;
}
