/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Not there yet: what lfs.h promises and no other file keeps. */
#include "lfs.h"
#include <errno.h>
#pragma GCC diagnostic ignored "-Wunused-parameter"
uint64_t lfs_min_bytes(void) { return 0; }
int lfs_format(struct lfs_bdev *dev, const struct lfs_format_options *opt) { return -ENOSYS; }
int lfs_probe(struct lfs_bdev *dev, struct lfs_super_info *info, const char **why) { return -ENOSYS; }
int lfs_mount(struct lfs_bdev *dev, const struct lfs_mount_options *opt, struct lfs **fs) { return -ENOSYS; }
int lfs_unmount(struct lfs *fs) { return -ENOSYS; }
void lfs_abort(struct lfs *fs) {  }
int lfs_tick(struct lfs *fs, bool idle) { return -ENOSYS; }
int lfs_sync(struct lfs *fs) { return -ENOSYS; }
int lfs_checkpoint(struct lfs *fs) { return -ENOSYS; }
int lfs_grow(struct lfs *fs, uint64_t size_bytes) { return -ENOSYS; }
int lfs_trim(struct lfs *fs, uint64_t start, uint64_t len, uint64_t min_len, uint64_t *trimmed) { return -ENOSYS; }
int lfs_lookup(struct lfs *fs, lfs_ino_t dir, const char *name, struct lfs_attr *attr) { return -ENOSYS; }
int lfs_ref(struct lfs *fs, lfs_ino_t ino, uint32_t generation, struct lfs_attr *attr) { return -ENOSYS; }
void lfs_forget(struct lfs *fs, lfs_ino_t ino, uint64_t n) {  }
int lfs_parent(struct lfs *fs, lfs_ino_t dir, lfs_ino_t *parent) { return -ENOSYS; }
int lfs_getattr(struct lfs *fs, lfs_ino_t ino, struct lfs_attr *attr) { return -ENOSYS; }
int lfs_setattr(struct lfs *fs, lfs_ino_t ino, uint32_t set, const struct lfs_attr *to, struct lfs_attr *attr) { return -ENOSYS; }
int lfs_mknod(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode, uint32_t rdev, const struct lfs_cred *cred, struct lfs_attr *attr) { return -ENOSYS; }
int lfs_create(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode, const struct lfs_cred *cred, struct lfs_attr *attr) { return -ENOSYS; }
int lfs_mkdir(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode, const struct lfs_cred *cred, struct lfs_attr *attr) { return -ENOSYS; }
int lfs_symlink(struct lfs *fs, lfs_ino_t dir, const char *name, const char *target, const struct lfs_cred *cred, struct lfs_attr *attr) { return -ENOSYS; }
int lfs_tmpfile(struct lfs *fs, lfs_ino_t dir, uint32_t mode, const struct lfs_cred *cred, struct lfs_attr *attr) { return -ENOSYS; }
int lfs_link(struct lfs *fs, lfs_ino_t ino, lfs_ino_t dir, const char *name, struct lfs_attr *attr) { return -ENOSYS; }
int lfs_readlink(struct lfs *fs, lfs_ino_t ino, char *target) { return -ENOSYS; }
int lfs_unlink(struct lfs *fs, lfs_ino_t dir, const char *name) { return -ENOSYS; }
int lfs_rmdir(struct lfs *fs, lfs_ino_t dir, const char *name) { return -ENOSYS; }
int lfs_rename(struct lfs *fs, lfs_ino_t dir, const char *name, lfs_ino_t new_dir, const char *new_name, uint32_t flags) { return -ENOSYS; }
int lfs_readdir(struct lfs *fs, lfs_ino_t dir, uint64_t cookie, lfs_dir_fn fn, void *ctx) { return -ENOSYS; }
int lfs_readdirplus(struct lfs *fs, lfs_ino_t dir, uint64_t cookie, lfs_dir_fn fn, void *ctx) { return -ENOSYS; }
int lfs_open(struct lfs *fs, lfs_ino_t ino) { return -ENOSYS; }
void lfs_release(struct lfs *fs, lfs_ino_t ino) {  }
ssize_t lfs_read(struct lfs *fs, lfs_ino_t ino, void *buf, size_t len, uint64_t offset) { return -ENOSYS; }
ssize_t lfs_write(struct lfs *fs, lfs_ino_t ino, const void *buf, size_t len, uint64_t offset, uint32_t flags) { return -ENOSYS; }
int lfs_fsync(struct lfs *fs, lfs_ino_t ino, bool data_only) { return -ENOSYS; }
int lfs_fallocate(struct lfs *fs, lfs_ino_t ino, uint32_t mode, uint64_t offset, uint64_t len) { return -ENOSYS; }
int64_t lfs_lseek(struct lfs *fs, lfs_ino_t ino, uint64_t offset, int whence) { return -ENOSYS; }
ssize_t lfs_clone_range(struct lfs *fs, lfs_ino_t src, uint64_t src_offset, lfs_ino_t dst, uint64_t dst_offset, uint64_t len) { return -ENOSYS; }
int lfs_extents(struct lfs *fs, lfs_ino_t ino, uint64_t offset, uint64_t len, bool (*fn)(void *ctx, const struct lfs_extent *extent), void *ctx) { return -ENOSYS; }
ssize_t lfs_getxattr(struct lfs *fs, lfs_ino_t ino, const char *name, void *value, size_t size) { return -ENOSYS; }
int lfs_setxattr(struct lfs *fs, lfs_ino_t ino, const char *name, const void *value, size_t size, uint32_t flags) { return -ENOSYS; }
ssize_t lfs_listxattr(struct lfs *fs, lfs_ino_t ino, char *names, size_t size) { return -ENOSYS; }
int lfs_removexattr(struct lfs *fs, lfs_ino_t ino, const char *name) { return -ENOSYS; }
int lfs_statfs(struct lfs *fs, struct lfs_statfs *out) { return -ENOSYS; }
void lfs_get_stats(struct lfs *fs, struct lfs_stats *out) {  }
int lfs_get_map_stats(struct lfs *fs, lfs_ino_t ino, struct lfs_map_stats *out) { return -ENOSYS; }
int lfs_check(struct lfs_bdev *dev, const struct lfs_check_options *opt, struct lfs_check_result *result) { return -ENOSYS; }
int lfs_check_mounted(struct lfs *fs, const struct lfs_check_options *opt, struct lfs_check_result *result) { return -ENOSYS; }
int lfs_dump_super(struct lfs_bdev *dev, const struct lfs_dump_sink *sink) { return -ENOSYS; }
int lfs_dump_checkpoint(struct lfs_bdev *dev, const struct lfs_dump_sink *sink) { return -ENOSYS; }
int lfs_dump_segment(struct lfs *fs, uint64_t segment, const struct lfs_dump_sink *sink) { return -ENOSYS; }
int lfs_dump_inode(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *sink) { return -ENOSYS; }
int lfs_dump_map(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *sink) { return -ENOSYS; }
int lfs_dump_dir(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *sink) { return -ENOSYS; }
int lfs_bdev_file_open(const char *path, uint32_t flags, struct lfs_bdev **dev) { return -ENOSYS; }
int lfs_bdev_file_resize(struct lfs_bdev *dev, uint64_t size_bytes) { return -ENOSYS; }
int lfs_bdev_file_refresh(struct lfs_bdev *dev) { return -ENOSYS; }
int lfs_bdev_mem_create(uint64_t size_bytes, struct lfs_bdev **dev) { return -ENOSYS; }
void * lfs_bdev_mem_bytes(struct lfs_bdev *dev) { return NULL; }
