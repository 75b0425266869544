/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What each block of an image is, read by a second, slow reader of the format (fs-lfs/format.h); and all checksums of
 * an image made to match again, so that damage behind them reaches the code that must survive it.
 */
#ifndef HARNESS_LFS_ANATOMY_H
#define HARNESS_LFS_ANATOMY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum anatomy_kind {
	ANATOMY_nothing,
	ANATOMY_super,
	ANATOMY_checkpoint,
	ANATOMY_gdir,
	ANATOMY_ginfo,
	ANATOMY_chunk, /* header of one */
	ANATOMY_rest,  /* of its payload */
	ANATOMY_data,
	ANATOMY_shared,
	ANATOMY_itable,
	ANATOMY_page,
	ANATOMY_ptab,
	ANATOMY_root,
	ANATOMY_table,
	ANATOMY_owners,
	ANATOMY_COUNT
};

extern const char *const anatomy_names[ANATOMY_COUNT];

struct anatomy_chunk {
	uint64_t at, seq; /* block of the header; of its segment */
};

/**
 * struct lfs_anatomy - Of a sound image.
 * @kind: Of each block; of a log's block: as the last chunk there says.
 * @live: In use, as the checkpoint says.
 * @segment_seq: Of each segment, as the checkpoint has it; the chunks' own, if that is not there.
 * @current: Which of the two checkpoints is newer.
 */
struct lfs_anatomy {
	uint64_t blocks, segment_blocks, segments;
	uint32_t gdir_blocks, ginfo_blocks, groups, current;
	uint8_t *kind, *live;
	uint64_t *segment_seq;
	struct anatomy_chunk *chunks;
	size_t n_chunks, room;
};

/** lfs_anatomy_read() - @image must be sound: it is checked only as far as this reader needs. Return: false: it is not. */
bool lfs_anatomy_read(struct lfs_anatomy *a, const uint8_t *image, size_t bytes);
void lfs_anatomy_destroy(struct lfs_anatomy *a);

/** lfs_anatomy_seal() - After edits: every checksum matches again, from the leaves to the superblocks. */
void lfs_anatomy_seal(const struct lfs_anatomy *a, uint8_t *image);

#endif
