/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of lindex-bench share, each under the name of its .c file. A verb measures on one set
 * and adds rows; rows are printed as they come, and written as JSON and CSV at the end.
 *
 * Exit status: 0; 1: an answer was wrong; 2: bad arguments or input, or a file that cannot be written.
 */
#ifndef BENCH_CMD_H
#define BENCH_CMD_H

#include "data.h"
#include "dataset.h"
#include "loop.h"
#include "machine.h"
#include "peer.h"
#include "series.h"

#define STATUS_NO    1
#define STATUS_WRONG 2
#define PEERS_MAX    32u
#define SPECS_MAX    32u

/**
 * struct config - What was asked for.
 * @specs: What --data named, or the default.
 * @peers: What --structures named, or all; absl is one of them, as what all are compared to.
 * @max:   Most runs of the verb scale.
 */
struct config {
	const char *specs[SPECS_MAX];
	unsigned int n_specs;
	const struct peer_ops *peers[PEERS_MAX];
	unsigned int n_peers;
	const char *json, *csv;
	bool quick;
	unsigned int rounds;
	uint64_t seed, max;
	struct machine machine;
};

/* ---- bench_main.c -------------------------------------------------------------------------- */

/** reject() - One line on standard error; exit with STATUS_WRONG. */
__attribute__((noreturn, format(printf, 1, 2))) void reject(const char *fmt, ...);

/** peer_slug() - @name as --structures and the reports have it: "sorted array" is "sorted-array". */
#define SLUG_BYTES 40u
void peer_slug(const char *name, char slug[SLUG_BYTES]);

/* ---- bench_set.c: what is measured on ------------------------------------------------------ */

/**
 * struct set -
 * @data:      Its runs are what @runs points to.
 * @maps:      Of cfg->peers[i]; NULL: it is not part of this (the reason was printed).
 * @limit:     Of as many pairs.
 * @build_ns:  What it took to build each, per run.
 * @has_holes: Between key 0 and the last run.
 * @rng:       For keys. A set begins with the same state whatever was measured before.
 */
struct set {
	const struct config *cfg;
	struct dataset data;
	struct runs runs;
	void *maps[PEERS_MAX];
	void *limit;
	double build_ns[PEERS_MAX];
	bool has_holes;
	struct rng rng;
};

/** set_load() - What @spec names, or exits through reject(). */
void set_load(struct set *s, const struct config *cfg, const char *spec);

/**
 * set_build() - A map of each structure that can hold the runs, and the limit.
 *
 * A set of many runs goes without the structures that there is no memory for.
 */
void set_build(struct set *s);

/** set_reset() - Another map of structure @i. */
void set_reset(struct set *s, unsigned int i);

/** set_bytes() - Per run, of structure @i. */
double set_bytes(const struct set *s, unsigned int i);
void set_free(struct set *s);

/* ---- bench_keys.c: what is asked ----------------------------------------------------------- */

enum dist {
	DIST_KEY,  /* mapped, every key alike */
	DIST_RUN,  /* mapped, every run alike, then every key in it */
	DIST_ZIPF, /* mapped, runs by Zipf's law (0.99) in no order of theirs */
	DIST_MISS, /* unmapped, every key alike, up to an eighth behind the end */
	DIST_GAP,  /* unmapped, every hole between runs alike, then every key in it */
	DISTS
};

extern const char *const dist_names[DISTS];

/** keys_drawn() - @n keys. NULL if there are none of the kind. */
uint64_t *keys_drawn(struct set *s, enum dist dist, size_t n);

/** keys_places() - What the limit is asked: the positions of the runs at or before the keys. */
uint64_t *keys_places(const struct runs *runs, const uint64_t *keys, size_t n);

static inline bool dist_hits(enum dist dist)
{
	return dist < DIST_MISS;
}

/* ---- bench_rows.c: what came out ----------------------------------------------------------- */

#define EXTRAS_MAX 8u

/**
 * struct row - Zeroes: nothing measured of that kind.
 * @ns:           Per operation, one figure per round. @p50...: likewise, where single ones were timed.
 * @max_ns:       Of all rounds.
 * @bytes:        Per run.
 * @absl, @limit: What @ns is compared to, or NULL. They need only live until the row is added.
 * @checked:      Every answer was compared with the twin.
 * @extras:       Other figures; the names are static.
 */
struct row {
	const char *dataset, *structure, *op, *mode, *dist;
	size_t runs;
	struct series ns, p50, p99, p999;
	double max_ns, bytes;
	const struct series *absl, *limit;
	bool checked;
	struct {
		const char *name;
		double figure;
	} extras[EXTRAS_MAX];
	unsigned int n_extras;
};

/** row_of() - A row of @structure without figures yet. */
struct row row_of(const struct set *s, const char *structure, const char *op, const char *mode,
		  const char *dist);
void row_extra(struct row *row, const char *name, double figure);

/** rows_add() - Texts and series are copied. */
void rows_add(const struct row *row);

/**
 * rows_dataset() - What the set is, for the JSON: runs, keys, and the bytes per run that an index of it may take:
 * the bits that tell a distance between two first keys, those that tell a value, and 8 more.
 */
void rows_dataset(const struct set *s);

/** rows_note() - A line for people. */
__attribute__((format(printf, 1, 2))) void rows_note(const char *fmt, ...);

/** rows_show() - Print what was added since the last call, as one table with one head. */
void rows_show(void);

/** rows_write() - What there is so far, as JSON and CSV as asked for. */
void rows_write(const struct config *cfg);

/** rows_verdict() - Print how many rows there are. Return: how many had a wrong answer. */
unsigned int rows_verdict(void);

/* ---- bench_lookup.c ------------------------------------------------------------------------ */

/**
 * lookups_measure() - All modes of @n lookups in a set that is built, as rows of @op.
 * @flush: As in struct loop.
 */
void lookups_measure(struct set *s, const char *op, enum dist dist, size_t n, size_t flush);

/** keys_enough() - How many lookups of a set make a round. */
size_t keys_enough(const struct set *s);

/* ---- bench_update.c ------------------------------------------------------------------------ */

/** overwrites_measure() - Random overwrites in a set that is built, as rows of @op. The maps are built anew. */
void overwrites_measure(struct set *s, const char *op);

/* ---- bench_callgrind.c --------------------------------------------------------------------- */

/* What the program is called with when it runs below callgrind; how many keys follows. Not for people. */
#define CALLGRIND_CHILD "--callgrind-child"

/** callgrind_child() - Look up @n keys in each structure, while callgrind counts. Return: exit status. */
int callgrind_child(struct set *s, size_t n);

/** instructions_count() - Rows of the verb lines; a note where it cannot be counted. */
void instructions_count(struct set *s);

/* ---- Verbs: on a set that is loaded and not built ------------------------------------------ */

void verb_lookup(struct set *s);
void verb_update(struct set *s);
void verb_build(struct set *s);
void verb_memory(struct set *s);
void verb_scale(struct set *s);
void verb_concurrent(struct set *s);
void verb_epsilon(struct set *s);
void verb_lines(struct set *s);
void verb_disk(struct set *s);

#endif
