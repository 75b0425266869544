/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Snapshots: a second root over the same nodes. A node carries its birth generation; taking a
 * snapshot closes a generation. The head never writes into a node born in a closed one, but copies it;
 * what it unlinks goes to the dead list of the newest snapshot that can still reach it (retire.c, R2).
 *
 *      elder <--- snapshot <--- newest           head
 *      gen 3      gen 5         gen 6            gen 7      a node of gen 4 unlinked now: dead list of 6
 *
 * When a snapshot goes, a node on its dead list is either reachable from the elder (born at or before
 * it), whose dead list it joins, or from nobody, and is retired.
 */
#include "internal.h"

int lindex_snapshot(struct lindex *ix, struct lindex **out)
{
	struct lindex *snap;

	if (ix->flags & LINDEX_IX_READONLY)
		return -EROFS;
	if (ix->space->paged)
		return -EOPNOTSUPP;
	if (ix->gen == UINT32_MAX)
		return -ENOMEM;
	if (lindex_new(ix->pool, NULL, &snap))
		return -ENOMEM;
	snap->flags = LINDEX_IX_READONLY | LINDEX_IX_SNAPSHOT;
	snap->ops = ix->ops;
	snap->space = ix->space;
	snap->epsilon = ix->epsilon;
	snap->leaf_units = ix->leaf_units;
	memcpy(snap->slot, ix->slot, sizeof(snap->slot));
	snap->root = ix->root;
	snap->gen = ix->gen++;
	snap->head = ix;
	snap->elder = ix->newest;
	if (ix->newest)
		ix->newest->younger = snap;
	ix->newest = snap;
	lindex_top_make(snap, false);
	*out = snap;
	return 0;
}

/** lindex_snapshot_forget() - Unlist @snap; its dead nodes go to the elder or are retired. */
void lindex_snapshot_forget(struct lindex *snap)
{
	struct lindex *elder = snap->elder;
	struct lindex_space *sp = snap->space;

	while (snap->dead.head) {
		uint32_t ref = lindex_limbo_pop(sp, &snap->dead);
		bool reachable = elder && lindex_from32(lindex_node_at(sp, ref)->gen) <= elder->gen;

		lindex_limbo_push(sp, reachable ? &elder->dead : &sp->limbo.retired, ref);
	}
	if (elder)
		elder->younger = snap->younger;
	if (snap->younger)
		snap->younger->elder = elder;
	else
		snap->head->newest = elder;
}
