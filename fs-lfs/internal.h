/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the engine's files share. Layers, each built on those above it:
 *
 *   bdev, csum      device, checksums
 *   cache.c         blocks in memory: dirty until a checkpoint, else under the cap
 *   segment.c       groups, segments, live blocks
 *   log.c block.c   heads, chunks, commits; verified reads
 *   pindex.c        a lindex in pages of the log
 *   inode.c map.c shared.c   inodes, their maps, shared blocks
 *   file.c dir.c namei.c ... the operations; record.c: how they are logged
 *   checkpoint.c recover.c gc.c mount.c check.c dump.c
 *
 * Locks, in the order in which they are taken (a thread may skip, never go back):
 *
 *   L1  op_lock      shared by each operation that changes something, exclusive in a checkpoint
 *   L2  rename_lock  one rename of a directory at a time
 *   L3  inode.lock   several: in order of number
 *   L4  shared_lock  the three maps of shared blocks;   imap_lock: the inode map
 *   L5  pindex.lock  lookups share it; loads and updates exclude
 *   L6  pool.lock    lindex has one writer per pool
 *   L7  head.lock    each head of the log; hot before meta
 *   L8  alloc_lock   groups, segments, counters of space
 *   L9  cache, inode-table, segment-buffer locks: leaves
 */
#ifndef LFS_INTERNAL_H
#define LFS_INTERNAL_H

#include <errno.h>
#include <lindex.h>
#include <pthread.h>
#include <roaring/roaring.h>
#include <stdatomic.h>
#include <string.h>

#include "csum.h"
#include "format.h"
#include "lfs.h"
#include "plant.h"

#define LFS_POOLS 4u

struct lfs_map_id {
	uint32_t ino, which;
};

/* ---- cache.c ------------------------------------------------------------------------------------ */

/* Families of cached blocks: the first key. */
#define LFS_CACHE_ITABLE    ((uint64_t)1 << 56) /* index: inode / 16 */
#define LFS_CACHE_TABLE     ((uint64_t)2 << 56) /* index: segment; its seq in the key */
#define LFS_CACHE_FILE(ino) ((uint64_t)3 << 56 | (uint64_t)(ino)) /* index: block of a directory */

struct lfs_cblk {
	uint64_t a, b;
	struct lfs_cblk *hash_next, *prev,
		*next; /* in the clean list or the dirty list of its shard */
	uint32_t pins;
	bool dirty;
	uint8_t *data;
};

#define LFS_CACHE_SHARDS 16u
struct lfs_cache_shard {
	pthread_mutex_t lock;
	struct lfs_cblk **buckets;
	uint32_t nbuckets, count;
	struct lfs_cblk clean, dirty; /* list heads */
};
struct lfs_cache {
	struct lfs_cache_shard shard[LFS_CACHE_SHARDS];
	_Atomic uint64_t blocks, dirty, hits, misses;
	_Atomic uint64_t limit; /* blocks */
};

int lfs_cache_init(struct lfs_cache *c, uint64_t limit_blocks);
void lfs_cache_destroy(struct lfs_cache *c);
struct lfs_cblk *lfs_cache_find(struct lfs_cache *c, uint64_t a, uint64_t b);
struct lfs_cblk *lfs_cache_add(struct lfs_cache *c, uint64_t a, uint64_t b, const void *data);
void lfs_cache_put(struct lfs_cache *c, struct lfs_cblk *blk);
void lfs_cache_dirty(struct lfs_cache *c, struct lfs_cblk *blk);
void lfs_cache_clean(struct lfs_cache *c, struct lfs_cblk *blk);
void lfs_cache_drop(struct lfs_cache *c, uint64_t a, uint64_t b);
size_t lfs_cache_dirty_list(struct lfs_cache *c, uint64_t family, struct lfs_cblk ***list);
void lfs_cache_shrink(struct lfs_cache *c, uint64_t to_blocks);

/* ---- segment.c ---------------------------------------------------------------------------------- */

struct lfs_seg {
	uint64_t seq;
	uint16_t live;
	uint8_t state, head;
};

struct lfs_group {
	struct lfs_seg *seg; /* NULL: not loaded */
	roaring_bitmap_t *live;
	uint64_t csum;
	uint32_t nfree, nlive;
	uint8_t copy; /* 0xff: never written */
	bool dirty;
};

struct lfs_geometry {
	uint64_t blocks, nsegs;
	uint32_t seg_blocks, seg_shift, segs_per_group, ginfo_blocks, gdir_blocks, ngroups;
};

/* ---- log.c -------------------------------------------------------------------------------------- */

/*
 * A segment in memory: while a head writes into it, and until its last chunk and table are written. While it is in
 * the list, reads of its blocks come from here.
 */
struct lfs_segbuf {
	struct lfs_segbuf *next;
	uint32_t seg, fill; /* fill: blocks placed so far */
	uint64_t seq;
	uint32_t writing; /* chunks sealed and not yet written; +1 while open */
	uint8_t *bytes;
	struct lfs_entry_disk *table;
};

struct lfs_chunk; /* log.c */

struct lfs_head {
	pthread_mutex_t lock;
	uint32_t which;
	struct lfs_segbuf *buf; /* NULL: closed */
	uint32_t next_seg;      /* hot only: where the chain goes on */
	uint64_t next_segseq;
	uint32_t start,
		ndata; /* the chunk that is being filled: its header's block, its data blocks */
	uint64_t seq;  /* its number */
	uint8_t *rec;
	uint32_t rec_bytes, rec_room;
};

/* ---- pindex.c ------------------------------------------------------------------------------------- */

struct lfs_pool {
	pthread_mutex_t lock;
	struct lindex_pool *pool;
};

struct lfs_ptnode {
	uint64_t slot[LFS_PTAB_SLOTS];
	struct lfs_ptnode **child; /* levels above 0; entries NULL until loaded */
	bool dirty;
};

struct lfs_pindex {
	struct lfs *fs;
	struct lfs_map_id id;
	struct lindex *ix;
	struct lfs_pool *pool;
	pthread_rwlock_t lock;
	uint64_t root; /* daddr of its root block on disk, 0: none yet */
	uint32_t levels;
	uint64_t pages; /* with a place */
	struct lfs_ptnode top;
	bool dirty;
};

/* ---- inode.c, map.c ---------------------------------------------------------------------------------- */

struct lfs_map {
	uint32_t nruns;
	struct lindex_run runs[LFS_INODE_RUNS];
	struct lfs_pindex *pi; /* NULL: the runs are here */
};

struct lfs_xattrs {
	uint8_t *blob; /* le16 name length, le32 value length, name, value; and so on */
	uint32_t bytes;
	bool dirty;
};

struct lfs_dir_state {
	struct lfs_pindex *names;
	uint32_t *roomy; /* blocks that had room when last seen; holes too */
	uint32_t nroomy, roomy_room;
};

struct lfs_inode {
	/* Table and list: fs->icache's shard lock. */
	struct lfs_inode *hash_next, *prev, *next;
	uint32_t pins;
	uint32_t ino;
	/* The rest: lock. */
	pthread_rwlock_t lock;
	bool dirty; /* differs from its slot in the table */
	bool freed;
	uint16_t flags; /* LFS_DI_* */
	uint32_t mode, nlink, uid, gid, rdev, generation, fsflags, parent, entries, dir_blocks;
	uint64_t size, blocks;
	struct lfs_time atime, mtime, ctime, btime;
	uint64_t map_root, names_root;
	uint32_t xattr_bytes;
	uint32_t inline_bytes;
	uint8_t inl[LFS_INODE_INLINE];
	struct lfs_map map;
	struct lfs_xattrs *xattrs; /* NULL: not loaded */
	struct lfs_dir_state *dir;
};

#define LFS_ICACHE_SHARDS 16u
struct lfs_icache_shard {
	pthread_mutex_t lock;
	struct lfs_inode **buckets;
	uint32_t nbuckets, count;
	struct lfs_inode idle; /* list head: pins 0, eldest first */
	uint64_t *refs;        /* open addressing: ino << 32 | references */
	uint32_t nrefs, refs_room;
};
struct lfs_icache {
	struct lfs_icache_shard shard[LFS_ICACHE_SHARDS];
	_Atomic uint64_t count, open_maps;
	_Atomic uint64_t limit;
};

/* ---- The filesystem --------------------------------------------------------------------------------------- */

struct lfs_counters {
	_Atomic uint64_t user_blocks, device_written, device_read, journal_blocks, meta_blocks,
		cleaner_blocks, flushes, commits, checkpoints, cleaned, cleaner_read, lookups,
		lookup_ns, updates, csum_errors, read_errors, healed;
};

struct lfs_tail {
	struct lfs_tail *next;
	uint32_t seg;
	uint64_t seq;
	struct lfs_table_disk table;
	struct lfs_owners_disk owners;
};

struct lfs {
	struct lfs_bdev *dev;
	struct lfs_mount_options opt;
	struct lfs_geometry geo;
	struct lfs_super_disk super;
	struct lfs_counters count;
	_Atomic int error; /* why it is read-only now, or 0 */
	bool replaying;    /* recovery: nothing is logged */
	bool memory_only;  /* read-only mount: nothing is written */

	pthread_rwlock_t op_lock;
	pthread_mutex_t rename_lock;
	pthread_mutex_t open_lock; /* maps that are being opened; between L3 and L5 */

	struct lfs_cache cache;
	struct lfs_icache icache;
	struct lfs_pool pool[LFS_POOLS + 1]; /* [LFS_POOLS]: the system's maps */
	uint64_t pool_limit;                 /* bytes, of each */
	_Atomic uint64_t ptab_nodes;         /* blocks of maps' page tables in memory */

	/* alloc_lock: */
	pthread_mutex_t alloc_lock;
	struct lfs_group *groups;
	struct lfs_gdir_disk **gdirs; /* copies in memory, loaded when needed */
	uint64_t *gdir_word;          /* as in the checkpoint */
	uint8_t *gdir_dirty;
	uint64_t next_segseq, nlive, nfree, nreserved, npromised;
	uint32_t rotor;    /* group where the search for a free segment goes on */
	uint32_t *emptied; /* closed segments that became empty: free after the next checkpoint */
	uint32_t nemptied, emptied_room;
	uint32_t npending;
	uint64_t inodes; /* count in use */

	/* log */
	struct lfs_head head[LFS_HEADS];
	pthread_rwlock_t segbuf_lock;
	struct lfs_segbuf *segbufs;
	struct lfs_segbuf *spare_bufs;
	uint32_t nspare;
	pthread_mutex_t write_lock; /* chunks on their way */
	pthread_cond_t write_done;
	struct lfs_chunk *inflight;
	pthread_mutex_t commit_lock;
	pthread_cond_t commit_done;
	bool committing;
	_Atomic uint64_t durable;      /* chunk of the hot head */
	_Atomic uint64_t chain_blocks; /* hot blocks since the checkpoint */
	_Atomic uint64_t last_seq;     /* chunk with the last record */
	_Atomic uint64_t emitted;      /* records so far: whether there is anything to commit */
	struct lfs_tail *tails;        /* of segments that recovery walked */

	/* imap_lock, shared_lock */
	pthread_rwlock_t imap_lock, shared_lock;
	struct lfs_pindex *sys[LFS_SYS_MAPS];
	uint64_t next_vaddr;

	pthread_mutex_t ino_lock;
	uint64_t next_ino, next_generation;
	roaring_bitmap_t *free_inos, *orphans;
	bool orphans_dirty;

	/* checkpoint: op_lock exclusive */
	uint64_t cp_sequence, epoch;
	uint32_t cp_region;
	_Atomic uint64_t cp_time_ms, commit_time_ms, cp_emitted; /* lfs_tick() looks at them */

	/* gc_lock: one cleans at a time */
	pthread_mutex_t gc_lock;
	uint32_t gc_rotor;
};

/* ---- mount.c: errors, log lines, time ----------------------------------------------------------------- */

void lfs_log(struct lfs *fs, enum lfs_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
struct lfs_time lfs_now(struct lfs *fs);
uint64_t lfs_monotonic_ms(void);
void lfs_fail(struct lfs *fs, int err, const char *what);
int lfs_errno(int err);
static inline int lfs_writable(struct lfs *fs)
{
	/* Recovery may change what is in memory even if nothing may be written. */
	if (atomic_load_explicit(&fs->error, memory_order_relaxed))
		return -EROFS;
	return fs->opt.read_only && !fs->replaying ? -EROFS : 0;
}

/* ---- device ------------------------------------------------------------------------------------------- */

int lfs_dev_read(struct lfs *fs, void *buf, uint64_t blocks, uint64_t daddr);
int lfs_dev_write(struct lfs *fs, const void *buf, uint64_t blocks, uint64_t daddr);
int lfs_dev_flush(struct lfs *fs);

/* ---- super.c -------------------------------------------------------------------------------------------- */

int lfs_super_read(struct lfs_bdev *dev, struct lfs_super_disk *super, const char **why);
int lfs_super_write(struct lfs_bdev *dev, struct lfs_super_disk *super);
int lfs_super_geometry(const struct lfs_super_disk *super, struct lfs_geometry *geo);
int lfs_cp_read(struct lfs_bdev *dev, struct lfs_cp_disk *cp, uint32_t *region, uint64_t blocks);
int lfs_cp_write(struct lfs *fs, struct lfs_cp_disk *cp);
uint64_t lfs_random(void);

/* ---- segment.c -------------------------------------------------------------------------------------------- */

int lfs_groups_init(struct lfs *fs, const struct lfs_cp_disk *cp);
void lfs_groups_destroy(struct lfs *fs);
int lfs_groups_grow(struct lfs *fs, uint64_t blocks);
uint32_t lfs_seg_first(const struct lfs_geometry *geo, uint64_t seg);
uint32_t lfs_seg_end(const struct lfs_geometry *geo);
uint64_t lfs_capacity(const struct lfs_geometry *geo);
uint64_t lfs_slack_blocks(const struct lfs_geometry *geo);
int lfs_seg_get(struct lfs *fs, uint64_t seg, struct lfs_seg *out);
int lfs_seg_alloc(struct lfs *fs, uint32_t head, uint32_t *seg, uint64_t *seq);
int lfs_seg_claim(struct lfs *fs, uint32_t seg, uint64_t seq, uint32_t head);
void lfs_seg_close(struct lfs *fs, uint32_t seg);
void lfs_seg_bad(struct lfs *fs, uint32_t seg);
int lfs_live_add(struct lfs *fs, uint64_t daddr, uint64_t n);
int lfs_live_remove(struct lfs *fs, uint64_t daddr, uint64_t n);
int lfs_live_in_segment(struct lfs *fs, uint64_t seg, uint64_t *bits);
int lfs_space_take(struct lfs *fs, uint64_t blocks);
void lfs_space_give(struct lfs *fs, uint64_t blocks);
uint64_t lfs_space_free(struct lfs *fs);
int lfs_groups_snapshot(struct lfs *fs, uint64_t stamp, struct lfs_cp_disk *cp);
void lfs_groups_release(struct lfs *fs);
int lfs_group_load(struct lfs *fs, uint32_t group);

/* ---- log.c, block.c --------------------------------------------------------------------------------------------- */

static inline uint64_t lfs_owner(uint32_t kind, struct lfs_map_id id)
{
	return (uint64_t)kind << 56 | (uint64_t)id.which << 48 | id.ino;
}

int lfs_log_init(struct lfs *fs);
void lfs_log_destroy(struct lfs *fs);
int lfs_log_open_hot(struct lfs *fs);
int lfs_log_place(struct lfs *fs, uint32_t head, uint64_t owner, uint64_t index, uint64_t want,
		  const void *data, uint64_t *daddr, uint64_t *got);
bool lfs_log_overwrite(struct lfs *fs, uint64_t daddr, uint64_t n, const void *data,
		       uint64_t *done);
int lfs_log_emit(struct lfs *fs, const void *record, uint32_t len, const void *a, uint32_t a_len,
		 const void *b, uint32_t b_len);
int lfs_log_seal(struct lfs *fs, uint32_t head, bool close_segment);
int lfs_log_settle(struct lfs *fs);
int lfs_log_commit(struct lfs *fs, uint64_t seq);
int lfs_log_write_memory(struct lfs *fs);
void lfs_log_positions(struct lfs *fs, struct lfs_cp_disk *cp);
void lfs_tail_make(struct lfs_tail *tail, uint32_t seg, uint64_t seq, uint64_t seg_blocks,
		   const struct lfs_entry_disk *table, uint32_t fill);
int lfs_tail_write(struct lfs *fs, const struct lfs_tail *tail);

int lfs_segment_walk(struct lfs *fs, uint32_t seg, uint64_t seq, uint32_t end,
		     struct lfs_entry_disk *entries, uint32_t *fill);
int lfs_block_read(struct lfs *fs, uint64_t daddr, void *buf);
int lfs_block_read_run(struct lfs *fs, uint64_t daddr, uint64_t n, void *buf);
int lfs_owners_read(struct lfs *fs, uint32_t seg, uint64_t seq, struct lfs_owners_disk *owners);

/* ---- pindex.c ----------------------------------------------------------------------------------------------------- */

int lfs_pindex_open(struct lfs *fs, struct lfs_map_id id, uint64_t root, struct lfs_pindex **pi);
int lfs_pindex_flush(struct lfs_pindex *pi);
void lfs_pindex_close(struct lfs_pindex *pi);
int lfs_pindex_destroy(struct lfs_pindex *pi);
int lfs_pindex_lookup(struct lfs_pindex *pi, uint64_t key, struct lindex_run *run);
int lfs_pindex_next(struct lfs_pindex *pi, uint64_t key, struct lindex_run *run);
int lfs_pindex_insert(struct lfs_pindex *pi, const struct lindex_run *run);
int lfs_pindex_remove(struct lfs_pindex *pi, uint64_t first, uint64_t last);
int lfs_pindex_build(struct lfs_pindex *pi, const struct lindex_run *runs, size_t n);
int lfs_pindex_page_move(struct lfs_pindex *pi, uint64_t page, uint64_t from);
int lfs_pindex_node_dirty(struct lfs_pindex *pi, uint64_t index, uint64_t daddr);
int lfs_pindex_root_dirty(struct lfs_pindex *pi, uint64_t daddr);
void lfs_pindex_stats(struct lfs_pindex *pi, struct lindex_stats *stats);
int lfs_pindex_check(struct lfs_pindex *pi, struct lindex_reason *why);
int lfs_pindex_places(struct lfs_pindex *pi, int (*fn)(void *ctx, uint64_t daddr), void *ctx);
void lfs_pindex_shrink(struct lfs_pindex *pi, uint64_t keep_pages);

/* ---- inode.c --------------------------------------------------------------------------------------------------------- */

int lfs_icache_init(struct lfs *fs);
void lfs_icache_destroy(struct lfs *fs);
int lfs_iget(struct lfs *fs, uint64_t ino, struct lfs_inode **inode);
int lfs_inew(struct lfs *fs, uint32_t ino, struct lfs_inode **inode);
void lfs_iput(struct lfs *fs, struct lfs_inode *inode);
int lfs_ino_alloc(struct lfs *fs, uint32_t *ino, uint32_t *generation);
void lfs_inode_dirty(struct lfs_inode *inode);
int lfs_inode_store(struct lfs *fs, struct lfs_inode *inode);
int lfs_inode_flush_map(struct lfs *fs, struct lfs_inode *inode);
int lfs_inodes_flush(struct lfs *fs, bool maps);
int lfs_itable_flush(struct lfs *fs);
void lfs_icache_shrink(struct lfs *fs, uint64_t to);
int lfs_ref_add(struct lfs *fs, uint32_t ino, uint32_t n);
uint32_t lfs_ref_drop(struct lfs *fs, uint32_t ino, uint64_t n);
uint32_t lfs_ref_count(struct lfs *fs, uint32_t ino);
uint64_t lfs_ref_total(struct lfs *fs);
void lfs_attr_of(const struct lfs_inode *inode, struct lfs_attr *attr);
int lfs_itable_get(struct lfs *fs, uint64_t index, struct lfs_cblk **blk);
int lfs_inode_free(struct lfs *fs, struct lfs_inode *inode);
void lfs_inode_decode(const struct lfs_inode_disk *d, struct lfs_inode *inode);

/* ---- map.c ------------------------------------------------------------------------------------------------------------- */

int lfs_map_lookup(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, struct lindex_run *run);
int lfs_map_next(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, struct lindex_run *run);
int lfs_map_set(struct lfs *fs, struct lfs_inode *inode, const struct lindex_run *run);
int lfs_map_clear(struct lfs *fs, struct lfs_inode *inode, uint64_t first, uint64_t last);
int lfs_map_swap(struct lfs *fs, struct lfs_inode *inode, const struct lindex_run *run);
int lfs_map_shift(struct lfs *fs, struct lfs_inode *inode, uint64_t from, int64_t by);
int lfs_map_index(struct lfs *fs, struct lfs_inode *inode, uint32_t which, struct lfs_pindex **pi);
int lfs_dir_names(struct lfs *fs, struct lfs_inode *dir, struct lfs_pindex **pi);
int lfs_partly(struct lfs *fs, int err);
int lfs_map_free_runs(struct lfs *fs, const struct lindex_run *runs, size_t n);

/* ---- shared.c ------------------------------------------------------------------------------------------------------------ */

int lfs_shared_place(struct lfs *fs, uint64_t vaddr, struct lindex_run *run);
int lfs_shared_make(struct lfs *fs, uint64_t daddr, uint64_t n, uint64_t *vaddr);
int lfs_shared_ref(struct lfs *fs, uint64_t vaddr, uint64_t n);
int lfs_shared_unref(struct lfs *fs, uint64_t vaddr, uint64_t n);
int lfs_shared_reverse(struct lfs *fs, uint64_t daddr, uint64_t *vaddr);
int lfs_shared_move(struct lfs *fs, uint64_t vaddr, uint64_t from, uint64_t to);
int lfs_shared_count(struct lfs *fs, uint64_t vaddr, struct lindex_run *run);

/* ---- op.c: what every operation begins and ends with ----------------------------------------------------------------------- */

int lfs_op_begin(struct lfs *fs, uint64_t blocks);
uint32_t lfs_clean_batch(const struct lfs *fs);
bool lfs_is_low(struct lfs *fs);
void lfs_op_end(struct lfs *fs);
int lfs_emit(struct lfs *fs, struct lfs_inode *inode, struct lfs_record_disk *rec,
	     struct lfs_time time, const void *a, uint32_t a_len, const void *b, uint32_t b_len);

/* ---- file.c, trunc.c, attr.c, xattr.c, acl.c, dir.c, namei.c -------------------------------------------------------------------- */

int lfs_file_read_block(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, void *buf);
int lfs_file_outgrow(struct lfs *fs, struct lfs_inode *inode);
int lfs_file_apply_write(struct lfs *fs, struct lfs_inode *inode, const struct lindex_run *run,
			 uint64_t size, struct lfs_time now);
void lfs_file_apply_inline(struct lfs_inode *inode, uint32_t offset, const void *bytes,
			   uint32_t len, uint64_t size, struct lfs_time now);
int lfs_file_zero_edge(struct lfs *fs, struct lfs_inode *inode, uint64_t upto);
int lfs_file_zero_bytes(struct lfs *fs, struct lfs_inode *inode, uint64_t offset, uint64_t len);
int lfs_file_lookup(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, uint64_t want,
		    uint64_t *daddr, uint64_t *n, uint32_t *tag);
int lfs_file_space(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, uint64_t n,
		   uint64_t *promised);
int lfs_file_get(struct lfs *fs, uint64_t ino, bool exclusive, struct lfs_inode **inode);
void lfs_file_put(struct lfs *fs, struct lfs_inode *inode);
int lfs_trunc_apply(struct lfs *fs, struct lfs_inode *inode, uint64_t size);
int lfs_falloc_apply(struct lfs *fs, struct lfs_inode *inode, uint32_t what, uint64_t lbn,
		     uint64_t n, uint64_t size);
int lfs_clone_apply(struct lfs *fs, struct lfs_inode *src, struct lfs_inode *dst, uint64_t lbn,
		    uint64_t n, uint64_t to, uint64_t size);
int lfs_attr_apply(struct lfs *fs, struct lfs_inode *inode, uint32_t set, const struct lfs_attr *to,
		   struct lfs_time now);

int lfs_xattrs_load(struct lfs *fs, struct lfs_inode *inode);
int lfs_xattrs_store(struct lfs *fs, struct lfs_inode *inode);
void lfs_xattrs_free(struct lfs_inode *inode);
int lfs_xattr_find(const struct lfs_inode *inode, const char *name, const void **value,
		   uint32_t *len);
int lfs_xattr_apply(struct lfs *fs, struct lfs_inode *inode, const char *name, uint32_t name_len,
		    const void *value, uint32_t len, bool remove, uint32_t mode_plus_1,
		    struct lfs_time now);
int lfs_xattr_drop_privilege(struct lfs *fs, struct lfs_inode *inode, struct lfs_time now);
int lfs_acl_inherit(struct lfs *fs, struct lfs_inode *dir, uint32_t *mode, uint32_t umask,
		    void *access, uint32_t *access_len, const void **deflt, uint32_t *deflt_len);
int lfs_acl_mode(const void *acl, size_t len, uint32_t *mode);
int lfs_acl_chmod(void *acl, size_t len, uint32_t mode);
#define LFS_ACL_MAX 8192u

int lfs_dir_find(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
		 uint32_t *ino, uint8_t *type, uint64_t *at);
int lfs_dir_add(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len, uint32_t ino,
		uint8_t type);
int lfs_dir_del(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len);
int lfs_dir_set(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len, uint32_t ino,
		uint8_t type);
int lfs_dir_flush_block(struct lfs *fs, struct lfs_cblk *blk);
int lfs_dir_block(struct lfs *fs, struct lfs_inode *dir, uint64_t lbn, struct lfs_cblk **blk);
int lfs_dir_block_check(const uint8_t *bytes, const char **why);
uint64_t lfs_dir_key(struct lfs *fs, const char *name, uint32_t len, uint32_t *hash32);

int lfs_apply_create(struct lfs *fs, struct lfs_inode *dir, uint32_t ino,
		     const struct lfs_record_disk *rec, const char *name, uint32_t name_len,
		     const char *target, uint32_t target_len, struct lfs_time now,
		     struct lfs_inode **out);
int lfs_apply_link(struct lfs *fs, struct lfs_inode *inode, struct lfs_inode *dir, const char *name,
		   uint32_t len, struct lfs_time now);
int lfs_apply_unlink(struct lfs *fs, struct lfs_inode *dir, struct lfs_inode *inode,
		     const char *name, uint32_t len, struct lfs_time now);
int lfs_apply_rename(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
		     struct lfs_inode *ndir, const char *nname, uint32_t nlen,
		     struct lfs_inode *inode, struct lfs_inode *victim, uint32_t flags,
		     struct lfs_time now);
int lfs_orphan_reap(struct lfs *fs, uint32_t ino);
int lfs_reap_whole(struct lfs *fs, struct lfs_inode *inode);

/* Several inodes' locks (L3), in order of number. */
#define LFS_LOCKS_MAX 4u
struct lfs_locks {
	struct lfs_inode *inode[LFS_LOCKS_MAX];
	uint32_t n;
};
void lfs_locks_add(struct lfs_locks *l, struct lfs_inode *inode);
void lfs_locks_take(struct lfs_locks *l);
void lfs_locks_give(struct lfs_locks *l);
int lfs_name_check(const char *name, uint32_t *len);
int lfs_dir_check(const struct lfs_inode *dir, bool change);
int lfs_peek(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
	     struct lfs_inode **inode);
bool lfs_still(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
	       const struct lfs_inode *inode);
void lfs_unname(struct lfs *fs, struct lfs_inode *dir, struct lfs_inode *inode,
		struct lfs_time now);
void lfs_dir_touch(struct lfs_inode *dir, struct lfs_time now);
uint8_t lfs_type_of(uint32_t mode);

/* ---- checkpoint.c, recover.c, gc.c ------------------------------------------------------------------------------------------------ */

#define LFS_ORPHANS_INO 2u /* hidden: its data are the numbers of inodes without names */
#define LFS_FIRST_INO   3u

int lfs_checkpoint_locked(struct lfs *fs, bool unmount);
struct lfs_chain; /* recover.c */
int lfs_recover_scan(struct lfs *fs, const struct lfs_cp_disk *cp, struct lfs_chain **chain);
int lfs_recover_replay(struct lfs *fs, struct lfs_chain *chain);
void lfs_recover_free(struct lfs_chain *chain);
int lfs_go_writable(struct lfs *fs);
int lfs_gc_segment(struct lfs *fs, uint32_t seg);
int lfs_orphans_load(struct lfs *fs);
int lfs_gc_run(struct lfs *fs, uint32_t segments, bool forced);
void lfs_shrink(struct lfs *fs);
int lfs_replay_record(struct lfs *fs, const uint8_t *bytes, uint32_t len);

#endif
