/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bugs to order. A build with -DLFS_PLANT has one more variable, and does at the places named here what a careless
 * programmer might: so that tests can show that they would notice. In every other build LFS_PLANTED() is 0.
 */
#ifndef LFS_PLANT_H
#define LFS_PLANT_H

/* clang-format off */
#define LFS_PLANT_LIST(X)                                                                    \
	X(SKIP_COMMIT_FLUSH)       /* fsync does not flush the device */                     \
	X(SKIP_CHECKPOINT_FLUSH)   /* nor a checkpoint, before its block is written */       \
	X(BOTH_CHECKPOINTS_AT_ONCE)/* the second region is written before the first is safe */ \
	X(REPLAY_SKIPS_CHECKSUM)   /* recovery believes that a chunk's data arrived */       \
	X(READ_SKIPS_CHECKSUM)     /* reads do not verify */                                 \
	X(MAP_READ_SKIPS_CHECKSUM) /* nor does loading pages of maps */                      \
	X(CHECKPOINT_FORGETS_NODE) /* some pages of maps are not written */                  \
	X(GROUP_WRITTEN_IN_PLACE)  /* the books of space overwrite those of the checkpoint */ \
	X(SEGMENT_REUSED_EARLY)    /* an empty segment is free before a checkpoint says so */ \
	X(STALE_SUMMARY)           /* a closed segment does not get its table */             \
	X(SEQUENCE_IGNORED)        /* recovery takes chunks of an older life for the next */ \
	X(REPLAY_DROPS_LAST)       /* recovery stops one chunk early */                      \
	X(NLINK_AFTER_CRASH)       /* replay of a link does not count it */                  \
	X(ORPHAN_LOST)             /* checkpoints do not list orphans */                     \
	X(FSYNC_WITHOUT_NAMESPACE) /* fsync does not wait for changes of names */            \
	X(RENAME_TWO_COMMITS)      /* rename is logged as a link and an unlink */            \
	X(TRUNCATE_KEEPS_TAIL)     /* bytes behind the end come back */                      \
	X(CLEANER_DROPS_BLOCK)     /* the cleaner frees one block more than it moved */      \
	X(SHARED_BLOCK_FREED)      /* replay of a clone does not count the owner */          \
	X(XATTR_NOT_LOGGED)        /* set, but not logged */
/* clang-format on */

enum lfs_plant {
	LFS_PLANT_none = 0,
#define X(name) LFS_PLANT_##name,
	LFS_PLANT_LIST(X)
#undef X
};

#ifdef LFS_PLANT
extern enum lfs_plant lfs_plant_now;
#define LFS_PLANTED(name) (lfs_plant_now == LFS_PLANT_##name)
#else
#define LFS_PLANTED(name) 0
#endif

#endif
