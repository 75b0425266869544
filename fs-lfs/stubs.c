/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Not there yet: what lfs.h promises and no other file keeps. */
#include "lfs.h"
#include <errno.h>
#pragma GCC diagnostic ignored "-Wunused-parameter"
int lfs_dump_super(struct lfs_bdev *dev, const struct lfs_dump_sink *sink)
{
	return -ENOSYS;
}
int lfs_dump_checkpoint(struct lfs_bdev *dev, const struct lfs_dump_sink *sink)
{
	return -ENOSYS;
}
int lfs_dump_segment(struct lfs *fs, uint64_t segment, const struct lfs_dump_sink *sink)
{
	return -ENOSYS;
}
int lfs_dump_inode(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *sink)
{
	return -ENOSYS;
}
int lfs_dump_map(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *sink)
{
	return -ENOSYS;
}
int lfs_dump_dir(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *sink)
{
	return -ENOSYS;
}
