/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "image.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * umount(8) returns before the daemon has made its last checkpoint and let go of the image: whoever comes next
 * waits for that, but not for a filesystem that stays mounted.
 */
#define WAIT_ROUNDS 300
#define WAIT_NS     100000000 /* 0.1 s */

char *image_mountpoint(const char *path)
{
	char *real = realpath(path, NULL), *found = NULL;
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *entry;

	while (real && mounts && !found && (entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_type, "fuse.lfs") && !strcmp(entry->mnt_fsname, real))
			found = strdup(entry->mnt_dir);
	if (mounts)
		endmntent(mounts);
	free(real);
	return found;
}

/* Only the kernel knows whether it has mounted a block device: it then refuses O_EXCL. */
static int claim_block_device(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return errno == EBUSY ? -EBUSY : 0;
	close(fd);
	return 0;
}

static void explain_open(const char *path, int error, char *why)
{
	char *where = error == -EBUSY ? image_mountpoint(path) : NULL;
	struct stat st;

	if (where)
		snprintf(why, IMAGE_WHY_BYTES, "%s: mounted on %s", path, where);
	else if (error == -EBUSY)
		snprintf(why, IMAGE_WHY_BYTES, "%s: in use by another program", path);
	else if (error == -ENOTBLK)
		snprintf(why, IMAGE_WHY_BYTES,
			 "%s: expected an image file or a block device, found %s", path,
			 !stat(path, &st) && S_ISDIR(st.st_mode) ? "a directory" : "neither");
	else
		image_explain(path, error, why);
	free(where);
}

int image_open(const char *path, uint32_t flags, struct lfs_bdev **dev, char *why)
{
	int r = claim_block_device(path);

	for (int round = 0; !r; round++) {
		char *where;

		r = lfs_bdev_file_open(path, flags, dev);
		if (r != -EBUSY || round == WAIT_ROUNDS)
			break;
		where = image_mountpoint(path);
		free(where);
		if (where)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = WAIT_NS }, NULL);
		r = 0;
	}
	if (r)
		explain_open(path, r, why);
	return r;
}

int image_probe(const char *path, struct lfs_bdev *dev, struct lfs_super_info *info, char *why)
{
	const char *detail = NULL;
	int r = lfs_probe(dev, info, &detail);

	if (!detail)
		detail = "no detail";
	if (r == -ENODATA)
		snprintf(why, IMAGE_WHY_BYTES, "%s: no fs-lfs filesystem here: %s", path, detail);
	else if (r == -EPROTONOSUPPORT)
		snprintf(why, IMAGE_WHY_BYTES,
			 "%s: format version %" PRIu32 " is newer than this program's, %u", path,
			 info->version, LFS_FORMAT_VERSION);
	else if (r == -ENOSPC)
		snprintf(why, IMAGE_WHY_BYTES,
			 "%s: truncated: the filesystem has %" PRIu64 " bytes, the image %" PRIu64,
			 path, info->size_bytes, dev->size_bytes);
	else if (r == -EBADMSG || r == -EUCLEAN)
		snprintf(why, IMAGE_WHY_BYTES, "%s: both superblocks are damaged: %s", path,
			 detail);
	else if (r)
		image_explain(path, r, why);
	return r;
}

void image_explain(const char *path, int error, char *why)
{
	const char *text = strerror(-error);

	if (error == -EROFS)
		text = "read-only: it can be mounted with -o ro, and checked with fsck.lfs -n";
	else if (error == -EUCLEAN || error == -EBADMSG)
		text = "damaged: see fsck.lfs";
	else if (error == -EIO)
		text = "a block cannot be read or its checksum does not match: see fsck.lfs";
	snprintf(why, IMAGE_WHY_BYTES, "%s: %s", path, text);
}

bool image_bytes(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGTP";
	const char *unit;
	char *end;
	double n;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtod(text, &end);
	end += *end == ' ';
	if (*end && (unit = strchr(units, toupper((unsigned char)*end)))) {
		n *= (double)((uint64_t)1 << (10 * (unit - units + 1)));
		end++;
		if (!strcmp(end, "iB"))
			end += 2;
	}
	if (*end || errno || n >= 0x1p63)
		return false;
	*bytes = (uint64_t)n;
	return true;
}
