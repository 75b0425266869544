/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench_twin.h"

#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "peer.h"

#define PIECE 512u /* runs when it is made; cut in two at twice as many */

/* A place: run @at of piece @piece; behind the last one, @piece is the last and @at its n. */
struct place {
	size_t piece, at;
};

/* ---- Pieces -------------------------------------------------------------------------------- */

static void piece_insert(struct twin *twin, size_t at, struct runs piece)
{
	if (twin->n == twin->room) {
		twin->room = 2 * twin->room + 8;
		twin->pieces = realloc(twin->pieces, twin->room * sizeof(*twin->pieces));
		if (!twin->pieces)
			die("no memory");
	}
	memmove(&twin->pieces[at + 1], &twin->pieces[at], (twin->n - at) * sizeof(*twin->pieces));
	twin->pieces[at] = piece;
	twin->n++;
}

static struct runs piece_of(const struct lindex_run *runs, size_t n)
{
	struct runs piece = { .at = grab(2 * PIECE * sizeof(*runs)), .n = n, .room = 2 * PIECE };

	if (n)
		memcpy(piece.at, runs, n * sizeof(*runs));
	return piece;
}

static void piece_split(struct twin *twin, size_t at)
{
	struct runs *piece = &twin->pieces[at];
	struct runs right = piece_of(&piece->at[piece->n / 2], piece->n - piece->n / 2);

	piece->n /= 2;
	piece_insert(twin, at + 1, right);
}

static void piece_drop(struct twin *twin, size_t at)
{
	free(twin->pieces[at].at);
	twin->n--;
	memmove(&twin->pieces[at], &twin->pieces[at + 1], (twin->n - at) * sizeof(*twin->pieces));
}

void twin_init(struct twin *twin, const struct runs *runs)
{
	*twin = (struct twin){ .n = 0 };
	for (size_t i = 0; i < runs->n; i += PIECE)
		piece_insert(twin, twin->n,
			     piece_of(&runs->at[i], runs->n - i < PIECE ? runs->n - i : PIECE));
	if (!twin->n)
		piece_insert(twin, 0, piece_of(NULL, 0));
}

void twin_free(struct twin *twin)
{
	for (size_t i = 0; i < twin->n; i++)
		free(twin->pieces[i].at);
	free(twin->pieces);
}

/* ---- Places -------------------------------------------------------------------------------- */

/* The last piece that begins at or before @key, or the first one. */
static size_t piece_at(const struct twin *twin, uint64_t key)
{
	size_t lo = 1, hi = twin->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (twin->pieces[mid].at[0].first <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

/* The first run that ends at or after @key. */
static struct place place_of(const struct twin *twin, uint64_t key)
{
	struct place p = { .piece = piece_at(twin, key) };
	const struct runs *piece = &twin->pieces[p.piece];

	p.at = runs_rank(piece, key);
	if (p.at && piece->at[p.at - 1].last >= key)
		p.at--;
	else if (p.at == piece->n && p.piece + 1 < twin->n)
		p = (struct place){ p.piece + 1, 0 };
	return p;
}

static struct lindex_run *run_at(const struct twin *twin, struct place p)
{
	const struct runs *piece = &twin->pieces[p.piece];

	return p.at < piece->n ? &piece->at[p.at] : NULL;
}

static struct lindex_run *run_before(const struct twin *twin, struct place p)
{
	if (p.at)
		return &twin->pieces[p.piece].at[p.at - 1];
	if (!p.piece)
		return NULL;
	return &twin->pieces[p.piece - 1].at[twin->pieces[p.piece - 1].n - 1];
}

static void put(struct twin *twin, struct place p, const struct lindex_run *run)
{
	struct runs *piece = &twin->pieces[p.piece];

	memmove(&piece->at[p.at + 1], &piece->at[p.at], (piece->n - p.at) * sizeof(*run));
	piece->at[p.at] = *run;
	if (++piece->n == piece->room)
		piece_split(twin, p.piece);
}

static void take(struct twin *twin, struct place p)
{
	struct runs *piece = &twin->pieces[p.piece];

	piece->n--;
	memmove(&piece->at[p.at], &piece->at[p.at + 1], (piece->n - p.at) * sizeof(*piece->at));
	if (!piece->n && twin->n > 1)
		piece_drop(twin, p.piece);
}

/* ---- Changes ------------------------------------------------------------------------------- */

static struct lindex_run part(const struct lindex_run *run, uint64_t first, uint64_t last)
{
	struct lindex_run cut = *run;

	cut.first = first;
	cut.last = last;
	cut.value = lindex_value(run, first);
	return cut;
}

void twin_clear(struct twin *twin, uint64_t first, uint64_t last)
{
	struct lindex_run *run;

	while ((run = run_at(twin, place_of(twin, first))) && run->first <= last) {
		struct lindex_run old = *run;

		take(twin, place_of(twin, first));
		if (old.first < first) {
			struct lindex_run left = part(&old, old.first, first - 1);

			put(twin, place_of(twin, left.first), &left);
		}
		if (old.last > last) {
			struct lindex_run right = part(&old, last + 1, old.last);

			put(twin, place_of(twin, right.first), &right);
		}
	}
}

/* Whether @b goes on where @a ends. */
static bool continues(const struct lindex_run *a, const struct lindex_run *b)
{
	struct extent left = extent_of(a), right = extent_of(b);

	return a->last != UINT64_MAX && extent_continues(a->first, &left, b->first, &right);
}

void twin_store(struct twin *twin, const struct lindex_run *stored)
{
	struct lindex_run run = *stored, *beside;

	run.mapped = 1;
	twin_clear(twin, run.first, run.last);
	beside = run_before(twin, place_of(twin, run.first));
	if (beside && continues(beside, &run)) {
		run.first = beside->first;
		run.value = beside->value;
		take(twin, place_of(twin, run.first));
	}
	beside = run_at(twin, place_of(twin, run.last));
	if (beside && continues(&run, beside)) {
		uint64_t last = beside->last;

		take(twin, place_of(twin, last));
		run.last = last;
	}
	put(twin, place_of(twin, run.first), &run);
}

/* ---- Answers ------------------------------------------------------------------------------- */

void twin_lookup(const struct twin *twin, uint64_t key, struct lindex_run *run)
{
	struct place p = place_of(twin, key);
	const struct lindex_run *next = run_at(twin, p), *before = run_before(twin, p);

	if (next && next->first <= key) {
		*run = *next;
		run->mapped = 1;
		return;
	}
	*run = hole_run(before ? before->last + 1 : 0, next ? next->first - 1 : UINT64_MAX);
}

void twin_runs(const struct twin *twin, struct runs *runs)
{
	size_t n = 0;

	for (size_t i = 0; i < twin->n; i++)
		n += twin->pieces[i].n;
	*runs = (struct runs){ .at = grab(n * sizeof(*runs->at)), .room = n };
	for (size_t i = 0; i < twin->n; i++) {
		memcpy(&runs->at[runs->n], twin->pieces[i].at,
		       twin->pieces[i].n * sizeof(*runs->at));
		runs->n += twin->pieces[i].n;
	}
}
