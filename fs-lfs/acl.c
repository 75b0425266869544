/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * POSIX ACLs as Linux keeps them in extended attributes: a le32 version 2, then entries of 8 bytes. (Format: the
 * kernel's include/uapi/linux/posix_acl_xattr.h.) The kernel checks permissions; what is left to a filesystem is the
 * ACL's part in the mode: at chmod, when an ACL is set, and when something is made in a directory with a default ACL.
 */
#include "internal.h"

#include <sys/stat.h>

enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct entry {
	lfs_le16 tag, perm;
	lfs_le32 id;
};

#define VERSION    2u
#define HEAD_BYTES 4u

static struct entry entry_get(const uint8_t *acl, size_t i)
{
	struct entry e;

	memcpy(&e, acl + HEAD_BYTES + i * sizeof(e), sizeof(e));
	return e;
}

static void entry_perm(uint8_t *acl, size_t i, uint32_t perm)
{
	struct entry e = entry_get(acl, i);

	e.perm = lfs_to16(perm);
	memcpy(acl + HEAD_BYTES + i * sizeof(e), &e, sizeof(e));
}

/* Which entries it has: -1 where none. */
struct places {
	int user, group, mask, other;
	size_t n;
};

static int places_find(const void *acl, size_t len, struct places *p)
{
	lfs_le32 version;

	*p = (struct places){ -1, -1, -1, -1, 0 };
	if (len < HEAD_BYTES || (len - HEAD_BYTES) % sizeof(struct entry) || len > LFS_ACL_MAX)
		return -EINVAL;
	memcpy(&version, acl, sizeof(version));
	if (lfs_from32(version) != VERSION)
		return -EOPNOTSUPP;
	p->n = (len - HEAD_BYTES) / sizeof(struct entry);
	for (size_t i = 0; i < p->n; i++) {
		struct entry e = entry_get(acl, i);
		int *at = NULL;

		switch (lfs_from16(e.tag)) {
		case USER_OBJ:
			at = &p->user;
			break;
		case GROUP_OBJ:
			at = &p->group;
			break;
		case MASK:
			at = &p->mask;
			break;
		case OTHER:
			at = &p->other;
			break;
		case USER:
		case GROUP:
			break;
		default:
			return -EINVAL;
		}
		if (lfs_from16(e.perm) & ~7u || (at && *at >= 0))
			return -EINVAL;
		if (at)
			*at = (int)i;
	}
	if (p->user < 0 || p->group < 0 || p->other < 0 || (p->n > 3 && p->mask < 0))
		return -EINVAL;
	return 0;
}

static uint32_t perm_of(const void *acl, int i)
{
	return lfs_from16(entry_get(acl, (size_t)i).perm);
}

/** lfs_acl_mode() - Put what the ACL says into the low 9 bits of *mode. Return: 0; 1: it says no more than that. */
int lfs_acl_mode(const void *acl, size_t len, uint32_t *mode)
{
	struct places p;
	int err = places_find(acl, len, &p);

	if (err)
		return err;
	*mode = (*mode & ~0777u) | perm_of(acl, p.user) << 6 |
		perm_of(acl, p.mask >= 0 ? p.mask : p.group) << 3 | perm_of(acl, p.other);
	return p.n == 3;
}

/** lfs_acl_chmod() - The other way: the mode's bits into the ACL. */
int lfs_acl_chmod(void *acl, size_t len, uint32_t mode)
{
	struct places p;
	int err = places_find(acl, len, &p);

	if (err)
		return err;
	entry_perm(acl, (size_t)p.user, mode >> 6 & 7);
	entry_perm(acl, (size_t)(p.mask >= 0 ? p.mask : p.group), mode >> 3 & 7);
	entry_perm(acl, (size_t)p.other, mode & 7);
	return 0;
}

/**
 * lfs_acl_inherit() - Mode and ACLs of what is made in @dir with *mode.
 * @access: LFS_ACL_MAX bytes; *access_len 0: none. @deflt: the directory's own; for new directories.
 */
int lfs_acl_inherit(struct lfs *fs, struct lfs_inode *dir, uint32_t *mode, uint32_t umask,
		    void *access, uint32_t *access_len, const void **deflt, uint32_t *deflt_len)
{
	struct places p;
	int err = 0;

	*access_len = *deflt_len = 0;
	if (dir->xattr_bytes)
		err = lfs_xattrs_load(fs, dir);
	if (err)
		return err;
	if (!dir->xattr_bytes ||
	    lfs_xattr_find(dir, "system.posix_acl_default", deflt, deflt_len)) {
		*mode &= ~(umask & 0777);
		return 0;
	}
	err = places_find(*deflt, *deflt_len, &p);
	if (err)
		return err;
	memcpy(access, *deflt, *deflt_len);
	entry_perm(access, (size_t)p.user, perm_of(access, p.user) & *mode >> 6 & 7);
	entry_perm(access, (size_t)(p.mask >= 0 ? p.mask : p.group),
		   perm_of(access, p.mask >= 0 ? p.mask : p.group) & *mode >> 3 & 7);
	entry_perm(access, (size_t)p.other, perm_of(access, p.other) & *mode & 7);
	if (lfs_acl_mode(access, *deflt_len, mode) == 0)
		*access_len = *deflt_len;
	return 0;
}
