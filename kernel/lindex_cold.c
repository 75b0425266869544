// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The part of lindex that no hot path runs: images, verifier, diagnostics, pools, pager. Kbuild
 * compiles it for size. explain.c is lookup.c's twin with the same names, and so cannot be beside it.
 */
#include "../lindex/build.c"
#include "../lindex/certify.c"
#include "../lindex/check.c"
#include "../lindex/dump.c"
#include "../lindex/explain.c"
#include "../lindex/image.c"
#include "../lindex/index.c"
#include "../lindex/leaf_sparse.c"
#include "../lindex/pager.c"
#include "../lindex/pool.c"
#include "../lindex/snapshot.c"
#include "../lindex/stats.c"
#include "../lindex/top.c"
#include "../lindex/verify.c"
#include "../lindex/walk.c"
