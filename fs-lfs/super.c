/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What stands at fixed places: two superblocks, two checkpoint regions; and lfs_format().
 */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

static const uint32_t super_blocks[2] = { LFS_SUPER0_BLOCK, LFS_SUPER1_BLOCK };
static const uint32_t cp_blocks[2] = { LFS_CP0_BLOCK, LFS_CP1_BLOCK };

uint64_t lfs_random(void)
{
	uint64_t r;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r)) {
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		r = (uint64_t)ts.tv_nsec * 0x9e3779b97f4a7c15u + (uint64_t)ts.tv_sec;
	}
	return r;
}

/* ---- Superblocks ------------------------------------------------------------------------------------ */

static uint64_t super_csum(const struct lfs_super_disk *s, uint32_t block)
{
	return lfs_csum_fixed(s, sizeof(*s), offsetof(struct lfs_super_disk, csum), block);
}

static uint32_t seg_blocks_valid(uint32_t n)
{
	return n >= LFS_SEGMENT_MIN / LFS_BLOCK && n <= LFS_SEGMENT_MAX / LFS_BLOCK &&
	       !(n & (n - 1));
}

static uint32_t ginfo_blocks_of(uint32_t seg_blocks)
{
	size_t bytes = sizeof(struct lfs_group_disk) +
		       LFS_GROUP_BLOCKS / seg_blocks * sizeof(struct lfs_seg_disk) +
		       LFS_GROUP_BLOCKS / 8;

	return (uint32_t)((bytes + LFS_BLOCK - 1) / LFS_BLOCK);
}

/** lfs_super_geometry() - What follows from a superblock. Return: 0, -EUCLEAN. */
int lfs_super_geometry(const struct lfs_super_disk *super, struct lfs_geometry *geo)
{
	memset(geo, 0, sizeof(*geo));
	geo->blocks = lfs_from64(super->blocks);
	geo->seg_blocks = lfs_from32(super->segment_blocks);
	geo->gdir_blocks = lfs_from32(super->gdir_blocks);
	geo->ginfo_blocks = lfs_from32(super->ginfo_blocks);
	if (!seg_blocks_valid(geo->seg_blocks) || geo->blocks > LFS_FILE_MAX / LFS_BLOCK ||
	    geo->gdir_blocks < 1 || geo->gdir_blocks > LFS_GDIRS_MAX ||
	    geo->ginfo_blocks != ginfo_blocks_of(geo->seg_blocks))
		return -EUCLEAN;
	geo->seg_shift = (uint32_t)__builtin_ctz(geo->seg_blocks);
	geo->nsegs = geo->blocks / geo->seg_blocks;
	geo->segs_per_group = LFS_GROUP_BLOCKS / geo->seg_blocks;
	geo->ngroups = (uint32_t)((geo->nsegs + geo->segs_per_group - 1) / geo->segs_per_group);
	if (geo->blocks < lfs_min_bytes() / LFS_BLOCK ||
	    geo->ngroups > geo->gdir_blocks * LFS_GDIR_GROUPS)
		return -EUCLEAN;
	return 0;
}

/**
 * lfs_super_read() - The newer of the superblocks that are sound.
 * @why: A static text on an error.
 *
 * Return: 0, -ENODATA, -EPROTONOSUPPORT, -EBADMSG, the device's errors.
 */
int lfs_super_read(struct lfs_bdev *dev, struct lfs_super_disk *super, const char **why)
{
	struct lfs_super_disk s;
	bool ours = false, found = false;
	int err, io = 0;

	*why = "no fs-lfs filesystem: the superblock's magic is not there";
	for (int i = 0; i < 2; i++) {
		uint64_t at = (uint64_t)super_blocks[i] * LFS_BLOCK;

		if (dev->size_bytes < at + LFS_BLOCK)
			continue;
		err = dev->ops->read(dev, &s, LFS_BLOCK, at);
		if (err) {
			io = err;
			continue;
		}
		if (lfs_from64(s.magic) != LFS_SUPER_MAGIC)
			continue;
		ours = true;
		if (lfs_from64(s.csum) != super_csum(&s, super_blocks[i]))
			continue;
		if (!found || lfs_from64(s.generation) > lfs_from64(super->generation))
			*super = s;
		found = true;
	}
	if (!found && io) {
		*why = "the superblocks cannot be read";
		return io;
	}
	if (!found && ours)
		*why = "both superblocks are damaged: checksums do not match";
	if (!found)
		return ours ? -EBADMSG : -ENODATA;
	if (lfs_from32(super->version) != LFS_FORMAT_VERSION) {
		*why = "the format's version is newer than this program's";
		return -EPROTONOSUPPORT;
	}
	*why = NULL;
	return 0;
}

/** lfs_super_write() - Both copies, one durable before the other is touched. */
int lfs_super_write(struct lfs_bdev *dev, struct lfs_super_disk *super)
{
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		super->csum = lfs_to64(super_csum(super, super_blocks[i]));
		err = dev->ops->write(dev, super, LFS_BLOCK, (uint64_t)super_blocks[i] * LFS_BLOCK);
		if (!err)
			err = dev->ops->flush(dev);
	}
	return err;
}

/* ---- Checkpoint regions --------------------------------------------------------------------------------- */

static uint64_t cp_csum(const struct lfs_cp_disk *cp, uint32_t block)
{
	return lfs_csum_fixed(cp, sizeof(*cp), offsetof(struct lfs_cp_disk, csum), block);
}

static int cp_read_one(struct lfs_bdev *dev, uint32_t region, struct lfs_cp_disk *cp)
{
	int err = dev->ops->read(dev, cp, LFS_BLOCK, (uint64_t)cp_blocks[region] * LFS_BLOCK);

	if (err)
		return err;
	if (lfs_from64(cp->magic) != LFS_CP_MAGIC)
		return -ENODATA;
	return lfs_from64(cp->csum) == cp_csum(cp, cp_blocks[region]) ? 0 : -EBADMSG;
}

/** lfs_cp_read() - The newer of the checkpoints that are sound, and its region. Return: 0, -EBADMSG, -EIO. */
int lfs_cp_read(struct lfs_bdev *dev, struct lfs_cp_disk *cp, uint32_t *region, uint64_t blocks)
{
	struct lfs_cp_disk one;
	bool found = false;
	int err = -EBADMSG;

	(void)blocks;
	for (uint32_t i = 0; i < 2; i++) {
		int e = cp_read_one(dev, i, &one);

		if (e) {
			if (e != -ENODATA && e != -EBADMSG)
				err = e;
			continue;
		}
		if (!found || lfs_from64(one.sequence) > lfs_from64(cp->sequence)) {
			*cp = one;
			*region = i;
		}
		found = true;
	}
	return found ? 0 : err;
}

static int cp_write_one(struct lfs *fs, struct lfs_cp_disk *cp, uint32_t region)
{
	cp->csum = lfs_to64(cp_csum(cp, cp_blocks[region]));
	return lfs_dev_write(fs, cp, 1, cp_blocks[region]);
}

/**
 * lfs_cp_write() - Into one region, and once that is durable, into the other: from the flush on the checkpoint counts,
 * and later damage to one region costs nothing. The two take turns at being first.
 */
int lfs_cp_write(struct lfs *fs, struct lfs_cp_disk *cp)
{
	uint32_t region = !fs->cp_region;
	int err;

	cp->magic = lfs_to64(LFS_CP_MAGIC);
	err = cp_write_one(fs, cp, region);
	if (!err && !LFS_PLANTED(BOTH_CHECKPOINTS_AT_ONCE))
		err = lfs_dev_flush(fs);
	if (err)
		return err;
	fs->cp_region = region;
	return cp_write_one(fs, cp, !region);
}

/* ---- Probe and format --------------------------------------------------------------------------------------- */

uint64_t lfs_min_bytes(void)
{
	return (uint64_t)8 << 20;
}

int lfs_probe(struct lfs_bdev *dev, struct lfs_super_info *info, const char **why)
{
	struct lfs_super_disk super;
	struct lfs_cp_disk cp;
	const char *text;
	uint32_t region;
	int err = lfs_super_read(dev, &super, &text);

	memset(info, 0, sizeof(*info));
	if (!err || err == -EPROTONOSUPPORT)
		info->version = lfs_from32(super.version);
	if (!err) {
		info->size_bytes = lfs_from64(super.blocks) * LFS_BLOCK;
		info->block_bytes = LFS_BLOCK;
		info->segment_bytes = lfs_from32(super.segment_blocks) * LFS_BLOCK;
		memcpy(info->label, super.label, sizeof(info->label));
		info->label[sizeof(info->label) - 1] = 0;
		memcpy(info->uuid, super.uuid, sizeof(info->uuid));
		info->made.sec = (int64_t)lfs_from64(super.made_sec);
		info->made.nsec = lfs_from32(super.made_nsec);
		if (!lfs_cp_read(dev, &cp, &region, 0))
			info->clean = lfs_from32(cp.flags) & LFS_CP_CLEAN;
		if (info->size_bytes > dev->size_bytes) {
			text = "the device is shorter than the filesystem on it: truncated?";
			err = -ENOSPC;
		}
	}
	if (why)
		*why = text;
	return err;
}

static uint32_t default_segment(uint64_t bytes)
{
	if (bytes >= (uint64_t)1 << 30)
		return LFS_SEGMENT_MAX;
	return bytes >= (uint64_t)64 << 20 ? 512u << 10 :
					     LFS_SEGMENT_MIN; /* so that there are many */
}

static int super_fill(const struct lfs_bdev *dev, const struct lfs_format_options *opt,
		      struct lfs_super_disk *super)
{
	uint64_t bytes = opt->size_bytes ? opt->size_bytes :
					   dev->size_bytes & ~(uint64_t)(LFS_BLOCK - 1);
	uint32_t seg = opt->segment_bytes ? opt->segment_bytes : default_segment(bytes);
	uint64_t limit = bytes > LFS_FILE_MAX / 64 ? LFS_FILE_MAX : bytes * 64;
	struct lfs_geometry geo;
	uint8_t any = 0;

	if (bytes % LFS_BLOCK || seg % LFS_BLOCK || !seg_blocks_valid(seg / LFS_BLOCK) ||
	    memchr(opt->label, 0, sizeof(opt->label)) == NULL)
		return -EINVAL;
	if (bytes > dev->size_bytes || bytes < lfs_min_bytes())
		return -ENOSPC;
	if (bytes > LFS_FILE_MAX)
		return -EFBIG;
	memset(super, 0, sizeof(*super));
	super->magic = lfs_to64(LFS_SUPER_MAGIC);
	super->version = lfs_to32(LFS_FORMAT_VERSION);
	super->segment_blocks = lfs_to32(seg / LFS_BLOCK);
	super->gdir_blocks = lfs_to32(limit / LFS_BLOCK / LFS_GROUP_BLOCKS / LFS_GDIR_GROUPS + 1);
	super->ginfo_blocks = lfs_to32(ginfo_blocks_of(seg / LFS_BLOCK));
	super->blocks = lfs_to64(bytes / LFS_BLOCK);
	super->generation = lfs_to64(1);
	memcpy(super->label, opt->label, sizeof(super->label));
	memcpy(super->uuid, opt->uuid, sizeof(super->uuid));
	for (size_t i = 0; i < sizeof(super->uuid); i++)
		any |= super->uuid[i];
	for (size_t i = 0; !any && i < sizeof(super->uuid); i += 8) {
		uint64_t r = lfs_random();

		memcpy(super->uuid + i, &r, 8);
	}
	if (!any) { /* a random one, as RFC 4122 marks it */
		super->uuid[6] = (uint8_t)((super->uuid[6] & 0x0f) | 0x40);
		super->uuid[8] = (uint8_t)((super->uuid[8] & 0x3f) | 0x80);
	}
	super->hash_seed = lfs_to64(opt->seed ? opt->seed : lfs_random());
	return lfs_super_geometry(super, &geo) ? -EINVAL : 0;
}

/* The root directory is made by the first mount's own code, on an empty checkpoint. */
static int make_root(struct lfs_bdev *dev, const struct lfs_format_options *opt)
{
	struct lfs_mount_options mount = { .callbacks = opt->callbacks };
	struct lfs_record_disk rec;
	struct lfs_inode *root;
	struct lfs *fs;
	int err = lfs_mount(dev, &mount, &fs);

	if (err)
		return err;
	memset(&rec, 0, sizeof(rec));
	rec.m = lfs_to32(S_IFDIR | (opt->root_mode ? opt->root_mode & 07777 : 0755));
	rec.y = lfs_to64((uint64_t)opt->root_gid << 32 | opt->root_uid);
	rec.z = lfs_to64(1);
	err = lfs_apply_create(fs, NULL, LFS_ROOT_INO, &rec, NULL, 0, NULL, 0, lfs_now(fs), &root);
	if (!err) {
		root->nlink = 2;
		root->parent = LFS_ROOT_INO;
		lfs_inode_dirty(root);
		lfs_file_put(fs, root);
	}
	if (!err) {
		fs->emitted++;
		return lfs_unmount(fs);
	}
	lfs_abort(fs);
	return err;
}

int lfs_format(struct lfs_bdev *dev, const struct lfs_format_options *opt)
{
	static const struct lfs_format_options defaults;
	static const uint8_t zero[LFS_BLOCK];
	struct lfs_super_disk super;
	struct lfs_cp_disk cp;
	struct timespec now;
	int err;

	if (!opt)
		opt = &defaults;
	if (dev->read_only)
		return -EROFS;
	err = super_fill(dev, opt, &super);
	if (err)
		return err;
	clock_gettime(CLOCK_REALTIME, &now);
	super.made_sec = lfs_to64(now.tv_sec);
	super.made_nsec = lfs_to32(now.tv_nsec);

	/* Neither an old superblock nor an old checkpoint may be taken for ours half way. */
	for (int i = 0; i < 2 && !err; i++) {
		err = dev->ops->write(dev, zero, LFS_BLOCK, (uint64_t)super_blocks[i] * LFS_BLOCK);
		if (!err)
			err = dev->ops->write(dev, zero, LFS_BLOCK,
					      (uint64_t)cp_blocks[i] * LFS_BLOCK);
	}
	if (!err)
		err = dev->ops->flush(dev);
	if (err)
		return err;
	memset(&cp, 0, sizeof(cp));
	cp.magic = lfs_to64(LFS_CP_MAGIC);
	cp.sequence = lfs_to64(1);
	cp.epoch = lfs_to64(lfs_random());
	cp.flags = lfs_to32(LFS_CP_CLEAN);
	for (int i = 0; i < LFS_HEADS; i++)
		cp.heads[i].segment = cp.heads[i].next_segment = lfs_to32(LFS_NO_SEGMENT);
	cp.chunk_seq = cp.next_segment_seq = cp.next_vaddr = cp.next_generation = lfs_to64(1);
	cp.next_ino = lfs_to64(LFS_FIRST_INO);
	cp.csum = lfs_to64(cp_csum(&cp, LFS_CP0_BLOCK));
	err = dev->ops->write(dev, &cp, LFS_BLOCK, (uint64_t)LFS_CP0_BLOCK * LFS_BLOCK);
	if (!err)
		err = dev->ops->flush(dev);
	if (!err)
		err = lfs_super_write(dev, &super);
	return err ? err : make_root(dev, opt);
}
