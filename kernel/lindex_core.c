// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * lindex as a module: the library's own files, as they are, in two translation units. This one has what
 * lookups and updates run; lindex_cold.c has the rest, compiled for size as the library's build does.
 * port.h is the door: its kernel half says what the kernel gives. The API is lindex.h, documented there.
 */
#include <linux/module.h>

#include "../lindex/cursor.c"
#include "../lindex/inner.c"
#include "../lindex/leaf.c"
#include "../lindex/leaf_dense.c"
#include "../lindex/leaf_lines.c"
#include "../lindex/lookup.c"
#include "../lindex/retire.c"
#include "../lindex/space.c"
#include "../lindex/update.c"

EXPORT_SYMBOL_GPL(lindex_version);
EXPORT_SYMBOL_GPL(lindex_pool_create);
EXPORT_SYMBOL_GPL(lindex_pool_free);
EXPORT_SYMBOL_GPL(lindex_pool_reclaim);
EXPORT_SYMBOL_GPL(lindex_pool_bytes);
EXPORT_SYMBOL_GPL(lindex_pool_set_alloc_flags);
EXPORT_SYMBOL_GPL(lindex_create);
EXPORT_SYMBOL_GPL(lindex_free);
EXPORT_SYMBOL_GPL(lindex_reserve);
EXPORT_SYMBOL_GPL(lindex_lookup);
EXPORT_SYMBOL_GPL(lindex_lookup_batch);
EXPORT_SYMBOL_GPL(lindex_cursor_init);
EXPORT_SYMBOL_GPL(lindex_cursor_init_end);
EXPORT_SYMBOL_GPL(lindex_cursor_next);
EXPORT_SYMBOL_GPL(lindex_cursor_prev);
EXPORT_SYMBOL_GPL(lindex_build);
EXPORT_SYMBOL_GPL(lindex_insert);
EXPORT_SYMBOL_GPL(lindex_remove);
EXPORT_SYMBOL_GPL(lindex_snapshot);
EXPORT_SYMBOL_GPL(lindex_save);
EXPORT_SYMBOL_GPL(lindex_certify);
EXPORT_SYMBOL_GPL(lindex_open_image);
EXPORT_SYMBOL_GPL(lindex_open_paged);
EXPORT_SYMBOL_GPL(lindex_get_root);
EXPORT_SYMBOL_GPL(lindex_root_pages);
EXPORT_SYMBOL_GPL(lindex_load);
EXPORT_SYMBOL_GPL(lindex_evict);
EXPORT_SYMBOL_GPL(lindex_dirty_pages);
EXPORT_SYMBOL_GPL(lindex_page_bytes);
EXPORT_SYMBOL_GPL(lindex_page_clean);
EXPORT_SYMBOL_GPL(lindex_flush);
EXPORT_SYMBOL_GPL(lindex_get_stats);
EXPORT_SYMBOL_GPL(lindex_last_cost);
EXPORT_SYMBOL_GPL(lindex_check);
EXPORT_SYMBOL_GPL(lindex_dump);
EXPORT_SYMBOL_GPL(lindex_explain);
EXPORT_SYMBOL_GPL(lindex_trace);

#ifdef LINDEX_TEST_EXPORTS /* the parts that the library's own suites look at */
EXPORT_SYMBOL_GPL(lindex_dense_fit);
EXPORT_SYMBOL_GPL(lindex_inner_encode);
EXPORT_SYMBOL_GPL(lindex_leaf_encode);
EXPORT_SYMBOL_GPL(lindex_lines_fit);
EXPORT_SYMBOL_GPL(lindex_presence_fit);
EXPORT_SYMBOL_GPL(lindex_sparse_fit);
#endif

MODULE_DESCRIPTION("Learned index from ranges of 64-bit keys to values");
MODULE_VERSION(__stringify(LINDEX_VERSION_MAJOR) "." __stringify(
	LINDEX_VERSION_MINOR) "." __stringify(LINDEX_VERSION_PATCH));
MODULE_LICENSE("Dual BSD/GPL");
