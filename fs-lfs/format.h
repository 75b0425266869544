/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is on the disk, byte for byte: structs, drawings, static asserts, and nothing else. FORMAT.md is the
 * specification in words. All integers are little-endian; spare fields are zero.
 *
 *   block 0          8           16          24          32             32+2D         +2G
 *   +----------+-----------+-----------+----------+--------------+--------------+---------------+---
 *   | super 0  | checkpt 0 | checkpt 1 | super 1  | group dirs   | group info 0 | log: segment 0 ...
 *   |          |           |           |          | copy 0 and 1 | copy 0 and 1 |
 *   +----------+-----------+-----------+----------+--------------+--------------+---------------+---
 *
 * A group is 65536 blocks (256 MiB), its segments and its info; group g > 0 begins with its two copies of G blocks of
 * info, which its first segment lacks. A segment:
 *
 *   | chunk | chunk | chunk ...          unused | table (1 block) | owners (2) |
 *     chunk: | header | data blocks ... | rest of the header's payload ... |
 */
#ifndef LFS_FORMAT_H
#define LFS_FORMAT_H

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t lfs_le16;
typedef uint32_t lfs_le32;
typedef uint64_t lfs_le64;

#define lfs_to16(x)   htole16((uint16_t)(x))
#define lfs_to32(x)   htole32((uint32_t)(x))
#define lfs_to64(x)   htole64((uint64_t)(x))
#define lfs_from16(x) le16toh(x)
#define lfs_from32(x) le32toh(x)
#define lfs_from64(x) le64toh(x)

#define LFS_BLOCK        4096u
#define LFS_BLOCK_SHIFT  12u
#define LFS_SUPER_MAGIC  0x3158444953464cffull /* "\xffLFSIDX1" */
#define LFS_CP_MAGIC     0x54504b4353464c43ull
#define LFS_GDIR_MAGIC   0x5249444753464c47ull
#define LFS_GROUP_MAGIC  0x554f524753464c47ull
#define LFS_CHUNK_MAGIC  0x4b4e4843u /* "CHNK" */
#define LFS_TABLE_MAGIC  0x4c424154u /* "TABL" */
#define LFS_OWNERS_MAGIC 0x534e574fu /* "OWNS" */
#define LFS_ROOT_MAGIC   0x544f4f52u /* "ROOT" */

/* ---- Where things are ------------------------------------------------------------------------ */

#define LFS_SUPER0_BLOCK 0u
#define LFS_CP0_BLOCK    8u
#define LFS_CP1_BLOCK    16u
#define LFS_SUPER1_BLOCK 24u
#define LFS_GDIR_BLOCK   32u

#define LFS_GROUP_BLOCKS 65536u
#define LFS_TAIL_BLOCKS  3u   /* at the end of each segment: table, owners */
#define LFS_TABLE_SLOTS  509u /* blocks of a segment that the table describes */

/* ---- Superblock: two copies, written when made and when grown ---------------------------------- */

/*
 *    0 magic         8 csum          16 version  20 segment_blocks  24 gdir_blocks  28 group_info_blocks
 *   32 blocks       40 generation    48 made_sec      56 made_nsec  60 spare
 *   64 uuid[16]     80 label[32]    112 hash_seed    120 zero up to 4096
 *
 * csum: XXH3-64 of the block with csum 0, seed: the block's number (lfs_csum_fixed()).
 */
struct lfs_super_disk {
	lfs_le64 magic, csum;
	lfs_le32 version, segment_blocks, gdir_blocks, ginfo_blocks;
	lfs_le64 blocks, generation, made_sec;
	lfs_le32 made_nsec, spare;
	uint8_t uuid[16];
	char label[32];
	lfs_le64 hash_seed;
	uint8_t zero[LFS_BLOCK - 120];
};
static_assert(sizeof(struct lfs_super_disk) == LFS_BLOCK, "one block");
static_assert(offsetof(struct lfs_super_disk, hash_seed) == 112, "as drawn");

/* ---- Checkpoint: two regions of one block, written in turn ----------------------------------------- */

enum { LFS_HEAD_HOT = 0, LFS_HEAD_COLD, LFS_HEAD_META, LFS_HEADS };

#define LFS_NO_SEGMENT 0xffffffffu

/* Where a head of the log stands. 32 bytes. segment LFS_NO_SEGMENT: closed. */
struct lfs_head_disk {
	lfs_le32 segment, position; /* position: block in the segment where the next chunk begins */
	lfs_le64 seq;               /* of the segment */
	lfs_le32 next_segment, spare;
	lfs_le64 next_seq;
};
static_assert(sizeof(struct lfs_head_disk) == 32, "as drawn");

/* Maps of the filesystem itself: daddr of their root blocks (struct lfs_root_disk), 0: empty. */
enum { LFS_SYS_IMAP = 0, LFS_SYS_SHARED, LFS_SYS_REFS, LFS_SYS_REVERSE, LFS_SYS_MAPS };

#define LFS_CP_CLEAN    0x1u /* unmounted: nothing to replay */
#define LFS_GDIRS_MAX   264u /* group directory blocks: 264 * 254 groups of 256 MiB > 16 TiB */
#define LFS_GDIR_GROUPS 254u

/*
 *    0 magic      8 csum      16 sequence   24 epoch   32 flags  36 spare   40 time_sec
 *   48 heads[3]            144 sys_root[4]           176 chunk_seq   184 next_segment_seq
 *  192 next_ino 200 next_vaddr  208 reserved  216 inodes  224 orphans  232 next_generation 240 live 248 spare
 *  256 gdirs[264]: csum of the current copy of a group directory block, bit 0 replaced by which copy; 0: never written
 * 2368 zero
 *
 * csum: as the superblock's.
 */
struct lfs_cp_disk {
	lfs_le64 magic, csum, sequence, epoch;
	lfs_le32 flags, spare0;
	lfs_le64 time_sec;
	struct lfs_head_disk heads[LFS_HEADS];
	lfs_le64 sys_root[LFS_SYS_MAPS];
	lfs_le64 chunk_seq, next_segment_seq, next_ino, next_vaddr, reserved, inodes, orphans,
		next_generation, live, spare1;
	lfs_le64 gdirs[LFS_GDIRS_MAX];
	uint8_t zero[LFS_BLOCK - 256 - 8 * LFS_GDIRS_MAX];
};
static_assert(sizeof(struct lfs_cp_disk) == LFS_BLOCK, "one block");
static_assert(offsetof(struct lfs_cp_disk, gdirs) == 256, "as drawn");

/* ---- Groups: which segments and blocks are in use --------------------------------------------------- */

/* 16 bytes. copy: which copy of the group's info is current, 0xff: never written (all free). */
struct lfs_gdir_entry {
	lfs_le64 csum;
	lfs_le32 live;
	lfs_le16 free;
	uint8_t copy, spare;
};

struct lfs_gdir_disk {
	lfs_le64 magic, csum, index, stamp; /* stamp: sequence of the checkpoint that wrote it */
	struct lfs_gdir_entry entry[LFS_GDIR_GROUPS];
};
static_assert(sizeof(struct lfs_gdir_disk) == LFS_BLOCK, "one block");

enum lfs_seg_state {
	LFS_SEG_FREE = 0,
	LFS_SEG_OPEN,     /* a head writes into it, or will next */
	LFS_SEG_CLOSED,   /* has its table */
	LFS_SEG_RESERVED, /* wholly taken by fixed structures */
	LFS_SEG_PENDING,  /* in memory only: free as soon as the checkpoint under way is durable */
	LFS_SEG_BAD       /* has damaged blocks: never cleaned */
};

/* 16 bytes. seq: grows with each use of any segment; keys its checksums. live: blocks in use. */
struct lfs_seg_disk {
	lfs_le64 seq;
	lfs_le16 live;
	uint8_t state, head;
	lfs_le32 spare;
};

/* Followed by one lfs_seg_disk for each segment of the group, then 8192 bytes: bit b: block b is live. */
struct lfs_group_disk {
	lfs_le64 magic, csum, group, stamp;
	uint8_t zero[32];
};
static_assert(sizeof(struct lfs_group_disk) == 64, "as drawn");

/* ---- The log ------------------------------------------------------------------------------------------ */

/* Whose block it is: kind << 56 | which << 48 | ino. */
enum lfs_kind {
	LFS_KIND_NONE = 0,
	LFS_KIND_DATA,   /* ino, index: block of the file (or directory, or extended attributes) */
	LFS_KIND_SHARED, /* index: shared address */
	LFS_KIND_ITABLE, /* index: inode number / 16 */
	LFS_KIND_PAGE,   /* ino, which map, index: lindex page */
	LFS_KIND_PTAB,   /* ino, which map, index: level << 48 | first page */
	LFS_KIND_ROOT,   /* ino, which map */
	LFS_KIND_LOG     /* header or rest of a header: has its checksum inside */
};

enum { LFS_WHICH_BLOCKS = 0, LFS_WHICH_NAMES = 1, LFS_WHICH_SYS = 16 };

/* 24 bytes. */
struct lfs_entry_disk {
	lfs_le64 csum, owner, index;
};

/*
 *    0 magic  4 head   8 csum   16 epoch  24 seq  32 segment_seq  40 ndata 42 nrest  44 record_bytes
 *   48 durable   56 next_segment  60 spare  64 next_seq  72 time_sec  80 payload
 *
 * Payload: ndata entries, then records; 4016 bytes here, the rest in nrest blocks behind the data.
 * csum: over header (csum 0) and rest, keyed with place and segment_seq as every block's.
 */
#define LFS_CHUNK_HEAD    80u
#define LFS_CHUNK_PAYLOAD (LFS_BLOCK - LFS_CHUNK_HEAD)

struct lfs_chunk_disk {
	lfs_le32 magic, head;
	lfs_le64 csum, epoch, seq, segment_seq;
	lfs_le16 ndata, nrest;
	lfs_le32 record_bytes;
	lfs_le64 durable; /* chunks up to this one were durable when this one was written */
	lfs_le32 next_segment, spare;
	lfs_le64 next_seq, time_sec;
	uint8_t payload[LFS_CHUNK_PAYLOAD];
};
static_assert(sizeof(struct lfs_chunk_disk) == LFS_BLOCK, "one block");
static_assert(offsetof(struct lfs_chunk_disk, payload) == LFS_CHUNK_HEAD, "as drawn");

/* The table: checksums of a closed segment. csum: keyed as every block's, with csum 0. */
struct lfs_table_disk {
	lfs_le32 magic, count;
	lfs_le64 segment_seq, csum;
	lfs_le64 block_csum[LFS_TABLE_SLOTS];
};
static_assert(sizeof(struct lfs_table_disk) == LFS_BLOCK, "one block");

/* The owners: two blocks as one. csum: keyed with the place of the first. */
struct lfs_owner_disk {
	lfs_le64 owner, index;
};
struct lfs_owners_disk {
	lfs_le32 magic, count;
	lfs_le64 segment_seq, csum, spare[3];
	struct lfs_owner_disk entry[LFS_TABLE_SLOTS];
};
static_assert(sizeof(struct lfs_owners_disk) == 2 * LFS_BLOCK, "two blocks");

/* ---- Maps --------------------------------------------------------------------------------------------------- */

#define LFS_ROOT_SLOTS 480u
#define LFS_PTAB_SLOTS 512u

/*
 * Root of a map in pages. levels 0: slot[p] is where lindex page p is; levels n: slot[i] is a block of 512 places
 * of the level below. 0: none.
 */
struct lfs_root_disk {
	lfs_le32 magic, levels;
	lfs_le64 owner;
	uint8_t lindex_root[128];
	lfs_le64 slot[LFS_ROOT_SLOTS];
	uint8_t zero[LFS_BLOCK - 144 - 8 * LFS_ROOT_SLOTS];
};
static_assert(sizeof(struct lfs_root_disk) == LFS_BLOCK, "one block");

/* A run as it stands inside an inode. 16 bytes: place: value (40 bits) | tag << 40 | bits 32..47 of first << 48. */
struct lfs_run_disk {
	lfs_le32 first, len;
	lfs_le64 place;
};

/* Tags of runs in a file's map. */
enum { LFS_TAG_PLAIN = 0, LFS_TAG_SHARED, LFS_TAG_UNWRITTEN };

/* ---- Inodes --------------------------------------------------------------------------------------------------- */

#define LFS_INODE_BYTES  256u
#define LFS_INODE_INLINE 128u
#define LFS_INODE_RUNS   8u
#define LFS_ITABLE_SHIFT 4u
#define LFS_XATTR_LBN                                                                              \
	((uint64_t)1 << 46) /* the map's blocks from here hold the extended attributes */

#define LFS_DI_INLINE   0x1u /* the data is in the inode */
#define LFS_DI_PAGED    0x2u /* map_root; else runs are in the inode */
#define LFS_DI_NAMES    0x4u /* directory with an index of names: names_root */
#define LFS_DI_PREALLOC 0x8u /* may have unwritten runs */

/*
 *    0 mode 2 flags  4 nlink  8 uid 12 gid  16 size  24 blocks
 *   32 atime 40 mtime 48 ctime 56 btime (seconds)   64 their nanoseconds (4 * 4)
 *   80 rdev 84 generation  88 fsflags 92 xattr_bytes  96 map_root 104 names_root
 *  112 parent 116 entries 120 nruns 122 inline_bytes 124 dir_blocks  128 inline data or runs
 */
struct lfs_inode_disk {
	lfs_le16 mode, flags;
	lfs_le32 nlink, uid, gid;
	lfs_le64 size, blocks, atime, mtime, ctime, btime;
	lfs_le32 nsec[4];
	lfs_le32 rdev, generation, fsflags, xattr_bytes;
	lfs_le64 map_root, names_root;
	lfs_le32 parent, entries;
	lfs_le16 nruns, inline_bytes;
	lfs_le32 dir_blocks;
	union {
		uint8_t bytes[LFS_INODE_INLINE];
		struct lfs_run_disk runs[LFS_INODE_RUNS];
	} in;
};
static_assert(sizeof(struct lfs_inode_disk) == LFS_INODE_BYTES, "16 in a block");
static_assert(offsetof(struct lfs_inode_disk, in) == 128, "as drawn");

/* ---- Directories ------------------------------------------------------------------------------------------------ */

/* Entries cover a block: len is a multiple of 4, ino 0: free. hash: low 32 bits of the name's. */
struct lfs_dirent_disk {
	lfs_le32 ino, hash;
	lfs_le16 len;
	uint8_t name_len, type;
	char name[];
};
#define LFS_DIRENT_HEAD 12u
static_assert(offsetof(struct lfs_dirent_disk, name) == LFS_DIRENT_HEAD, "as drawn");

/* ---- Records: changes since the checkpoint, in order ----------------------------------------------------------------- */

enum lfs_record {
	LFS_REC_CREATE = 1,
	LFS_REC_LINK,
	LFS_REC_UNLINK,
	LFS_REC_RENAME,
	LFS_REC_WRITE,
	LFS_REC_INLINE,
	LFS_REC_SETATTR,
	LFS_REC_FREE,
	LFS_REC_XATTR,
	LFS_REC_FALLOC,
	LFS_REC_CLONE
};

/*
 * len: of the whole record, padding to 8 included. a, b: lengths of two byte strings behind the struct.
 *
 *            ino     ino2      x           y          z          w        m         strings
 *   CREATE   new     dir       rdev        uid|gid<<32 generation -        mode      name, symlink's target
 *   LINK     inode   dir       -           -          -          -        -         name
 *   UNLINK   dir     inode     -           -          -          -        -         name
 *   RENAME   dir     new dir   -           -          -          -        flags     name, new name
 *   WRITE    inode   -         block       blocks     daddr      new size -
 *   INLINE   inode   -         offset      -          -          new size -         bytes
 *   SETATTR  inode   -         size        uid|gid<<32 fsflags   -        mask      struct lfs_setattr_disk
 *   FREE     inode
 *   XATTR    inode   mode+1    -           -          -          -        1: remove name, value
 *   FALLOC   inode   -         block       blocks     -          new size what to do (LFS_FA_*)
 *   CLONE    source  target    block       blocks     its block  new size -
 */
struct lfs_record_disk {
	lfs_le32 len;
	uint8_t type, spare[3];
	lfs_le32 ino, ino2;
	lfs_le64 x, y, z, w;
	lfs_le64 sec;
	lfs_le32 nsec, m;
	lfs_le32 a, b;
};
static_assert(sizeof(struct lfs_record_disk) == 72, "as drawn");

struct lfs_setattr_disk {
	lfs_le64 atime, mtime;
	lfs_le32 atime_nsec, mtime_nsec, mode, spare;
};
static_assert(sizeof(struct lfs_setattr_disk) == 32, "as drawn");

enum { LFS_FA_RESERVE = 1, LFS_FA_PUNCH, LFS_FA_COLLAPSE, LFS_FA_INSERT };

#endif
