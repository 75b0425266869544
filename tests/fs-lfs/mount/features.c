/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a POSIX filesystem owes its programs, call by call, on a mounted directory: "features DIR". Each check makes
 * and removes its own files. One line for each check that fails; exit status 1 if any did.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BLOCK 4096

static const char *check_name;
static int failures;

#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("%s: line %d: %s (%s)\n", check_name, __LINE__, #cond,              \
			       strerror(errno));                                                   \
			failures++;                                                                \
			return;                                                                    \
		}                                                                                  \
	} while (0)
#define FAILS(call, error) EXPECT((call) == -1 && errno == (error))

static int make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);

	if (fd >= 0 && text && write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	return fd;
}

static bool holds(const char *name, const char *text)
{
	char buf[256] = "";
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	return n == (ssize_t)strlen(text) && !strcmp(buf, text);
}

static void rename_flags(void)
{
	close(make("a", "A"));
	close(make("b", "B"));
	FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	EXPECT(!renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	EXPECT(holds("a", "B") && holds("b", "A"));
	EXPECT(!mkdir("d", 0755) && !renameat2(AT_FDCWD, "a", AT_FDCWD, "d", RENAME_EXCHANGE));
	EXPECT(holds("d", "B") && !rmdir("a"));
	FAILS(renameat2(AT_FDCWD, "nothing", AT_FDCWD, "d", RENAME_EXCHANGE), ENOENT);
	EXPECT(!renameat2(AT_FDCWD, "d", AT_FDCWD, "c", RENAME_NOREPLACE));
	EXPECT(!rename("b", "c") && holds("c", "A") && access("b", F_OK));
	EXPECT(!unlink("c"));
}

static void rename_of_directories(void)
{
	struct stat st;

	EXPECT(!mkdir("p", 0755) && !mkdir("p/q", 0755) && !mkdir("r", 0755));
	FAILS(rename("p", "p/q/p"), EINVAL);
	EXPECT(!rename("p/q", "r/q") && !stat("p", &st) && st.st_nlink == 2);
	EXPECT(!stat("r", &st) && st.st_nlink == 3);
	EXPECT(!stat("r/q/..", &st) && st.st_nlink == 3);
	FAILS(rename("p", "r"), ENOTEMPTY);
	FAILS(rmdir("r"), ENOTEMPTY);
	close(make("f", ""));
	FAILS(rename("p", "f"), ENOTDIR);
	FAILS(rename("f", "p"), EISDIR);
	EXPECT(!rmdir("r/q") && !rename("p", "r") && !rmdir("r") && !unlink("f"));
}

static void unlinked_open_files(void)
{
	int fd = make("gone", "still here");
	char buf[16] = "";
	struct stat st;

	EXPECT(fd >= 0 && !unlink("gone") && access("gone", F_OK));
	EXPECT(pread(fd, buf, sizeof(buf), 0) == 10 && !strcmp(buf, "still here"));
	EXPECT(pwrite(fd, "more", 4, 10) == 4 && !fstat(fd, &st) && st.st_nlink == 0 &&
	       st.st_size == 14);
	EXPECT(!ftruncate(fd, 3) && !fsync(fd) && !close(fd));
}

static void o_tmpfile(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	char path[64];

	EXPECT(fd >= 0 && write(fd, "tmp", 3) == 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT(!linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	EXPECT(holds("named", "tmp") && !close(fd) && !unlink("named"));
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	EXPECT(fd >= 0 && !close(fd));
}

static void links(void)
{
	char target[4096];
	struct stat st;

	close(make("one", "x"));
	EXPECT(!link("one", "two") && !stat("one", &st) && st.st_nlink == 2);
	FAILS(link("one", "two"), EEXIST);
	EXPECT(!unlink("one") && !stat("two", &st) && st.st_nlink == 1 && !unlink("two"));
	FAILS(link(".", "dirlink"), EPERM);
	EXPECT(!symlink("to/where", "s") && readlink("s", target, sizeof(target)) == 8);
	EXPECT(!lstat("s", &st) && S_ISLNK(st.st_mode) && st.st_size == 8 && !unlink("s"));
	memset(target, 'l', sizeof(target));
	target[4095] = 0;
	EXPECT(!symlink(target, "s") && readlink("s", target, sizeof(target)) == 4095 &&
	       !unlink("s"));
}

static void special_files(void)
{
	struct stat st;

	EXPECT(!mkfifo("fifo", 0600) && !stat("fifo", &st) && S_ISFIFO(st.st_mode) &&
	       !unlink("fifo"));
	EXPECT(!mknod("sock", S_IFSOCK | 0600, 0) && !stat("sock", &st) && S_ISSOCK(st.st_mode));
	EXPECT(!unlink("sock"));
	if (geteuid())
		return;
	EXPECT(!mknod("null", S_IFCHR | 0666, makedev(1, 3)) && !stat("null", &st));
	EXPECT(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) && !unlink("null"));
}

static void long_names(void)
{
	char name[257];

	memset(name, 'n', 256);
	name[256] = 0;
	FAILS(open(name, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
	FAILS(mkdir(name, 0755), ENAMETOOLONG);
	FAILS(symlink("x", name), ENAMETOOLONG);
	FAILS(access(name, F_OK), ENAMETOOLONG);
	name[255] = 0;
	close(make(name, "long"));
	EXPECT(holds(name, "long") && !unlink(name));
	close(make("\xff\xfe\n odd", "bytes"));
	EXPECT(holds("\xff\xfe\n odd", "bytes") && !unlink("\xff\xfe\n odd"));
}

static void times(void)
{
	struct timespec far[2] = { { 5000000000, 123456789 }, { -1000, 999999999 } };
	struct statx sx;
	struct stat st;

	close(make("t", ""));
	EXPECT(!utimensat(AT_FDCWD, "t", far, 0) && !stat("t", &st));
	EXPECT(st.st_atim.tv_sec == 5000000000 && st.st_atim.tv_nsec == 123456789);
	EXPECT(st.st_mtim.tv_sec == -1000 && st.st_mtim.tv_nsec == 999999999);
	EXPECT(!statx(AT_FDCWD, "t", AT_STATX_FORCE_SYNC, STATX_BTIME, &sx));
	EXPECT(!(sx.stx_mask & STATX_BTIME) || sx.stx_btime.tv_sec > 1500000000);
	EXPECT(!unlink("t"));
}

static void mtime_follows_writes(void)
{
	struct timespec past[2] = { { 1, 0 }, { 1, 0 } };
	int fd = make("m", "1");
	struct stat st;

	EXPECT(!futimens(fd, past) && !fstat(fd, &st) && st.st_mtim.tv_sec == 1);
	EXPECT(write(fd, "2", 1) == 1 && !fstat(fd, &st) && st.st_mtim.tv_sec > 1 &&
	       st.st_size == 2);
	EXPECT(!futimens(fd, past) && !close(fd) && !stat("m", &st) && st.st_mtim.tv_sec == 1);
	EXPECT(!truncate("m", 5) && !stat("m", &st) && st.st_mtim.tv_sec > 1);
	EXPECT((fd = open("m", O_WRONLY | O_APPEND)) >= 0 && !futimens(fd, past));
	EXPECT(write(fd, "3", 1) == 1 && !fstat(fd, &st) && st.st_mtim.tv_sec > 1 &&
	       st.st_size == 6);
	EXPECT(!close(fd) && !stat("m", &st) && st.st_mtim.tv_sec > 1 && !unlink("m"));
}

static void sparse_files(void)
{
	int fd = make("sparse", NULL);
	char buf[8] = "";
	struct stat st;

	EXPECT(pwrite(fd, "end", 3, (off_t)6 << 30) == 3 && !fsync(fd));
	EXPECT(!fstat(fd, &st) && st.st_size == ((off_t)6 << 30) + 3 && st.st_blocks <= 64);
	EXPECT(lseek(fd, 0, SEEK_DATA) == (off_t)6 << 30);
	EXPECT(lseek(fd, 0, SEEK_HOLE) == 0);
	EXPECT(lseek(fd, (off_t)6 << 30, SEEK_HOLE) == ((off_t)6 << 30) + 3);
	FAILS(lseek(fd, (off_t)7 << 30, SEEK_DATA), ENXIO);
	EXPECT(pread(fd, buf, 3, (off_t)5 << 30) == 3 && !memcmp(buf, "\0\0\0", 3));
	EXPECT(!close(fd) && !unlink("sparse"));
}

/* The byte at each block of @name, as a string. */
static void letters(int fd, int blocks, char *out)
{
	for (int i = 0; i < blocks; i++) {
		out[i] = '?';
		if (pread(fd, out + i, 1, (off_t)i * BLOCK) != 1)
			out[i] = '!';
		else if (!out[i])
			out[i] = '.';
	}
	out[blocks] = 0;
}

static int make_letters(const char *name, const char *blocks)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);
	char buf[BLOCK];

	for (; *blocks && fd >= 0; blocks++) {
		memset(buf, *blocks, sizeof(buf));
		if (write(fd, buf, sizeof(buf)) != sizeof(buf))
			return -1;
	}
	return fd;
}

static void fallocate_modes(void)
{
	int fd = make_letters("f", "abcdefgh");
	struct stat st;
	char seen[16];

	EXPECT(fd >= 0 &&
	       !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLOCK, 2 * BLOCK));
	letters(fd, 8, seen);
	EXPECT(!strcmp(seen, "a..defgh") && lseek(fd, 0, SEEK_HOLE) == BLOCK);
	EXPECT(!fallocate(fd, FALLOC_FL_ZERO_RANGE, 3 * BLOCK, BLOCK));
	letters(fd, 8, seen);
	EXPECT(!strcmp(seen, "a...efgh"));
	EXPECT(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 8 * BLOCK, 4 * BLOCK));
	EXPECT(!fstat(fd, &st) && st.st_size == 8 * BLOCK);
	EXPECT(!fallocate(fd, 0, 8 * BLOCK, 2 * BLOCK) && !fstat(fd, &st) &&
	       st.st_size == 10 * BLOCK);
	letters(fd, 10, seen);
	EXPECT(!strcmp(seen, "a...efgh.."));
	EXPECT(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * BLOCK + 1,
			  BLOCK - 2));
	letters(fd, 10, seen);
	EXPECT(!strcmp(seen, "a...efgh.."));
	EXPECT(!close(fd) && !unlink("f"));
}

static void collapse_and_insert(void)
{
	int fd = make_letters("ci", "abcd");
	struct stat st;
	char seen[16];
	int r = fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, BLOCK, BLOCK);

	/* The kernel's FUSE refuses these two before we are asked. */
	if (r && errno == EOPNOTSUPP) {
		EXPECT(!close(fd) && !unlink("ci"));
		return;
	}
	EXPECT(!r && !fstat(fd, &st) && st.st_size == 3 * BLOCK);
	EXPECT(!fallocate(fd, FALLOC_FL_INSERT_RANGE, BLOCK, BLOCK));
	letters(fd, 4, seen);
	EXPECT(!strcmp(seen, "a.cd") && !close(fd) && !unlink("ci"));
}

static void copy_file_range_shares(void)
{
	int from = make_letters("from", "abcdefgh"), to = make("to", NULL);
	loff_t in = 0, out = 0;
	char seen[16];

	EXPECT(from >= 0 && !fsync(from));
	EXPECT(copy_file_range(from, &in, to, &out, 8 * BLOCK, 0) == 8 * BLOCK);
	letters(to, 8, seen);
	EXPECT(!strcmp(seen, "abcdefgh"));
	EXPECT(pwrite(from, "X", 1, 2 * BLOCK) == 1);
	letters(to, 8, seen);
	EXPECT(!strcmp(seen, "abcdefgh"));
	in = 5;
	out = 100;
	EXPECT(copy_file_range(from, &in, to, &out, 1000, 0) == 1000 && in == 1005 && out == 1100);
	in = 8 * BLOCK;
	EXPECT(copy_file_range(from, &in, to, &out, 10, 0) == 0);
	EXPECT(!close(from) && !close(to) && !unlink("from") && !unlink("to"));
}

static void xattrs(void)
{
	char value[70000], names[256];

	memset(value, 'v', sizeof(value));
	close(make("x", ""));
	EXPECT(!setxattr("x", "user.small", "1", 1, XATTR_CREATE));
	FAILS(setxattr("x", "user.small", "2", 1, XATTR_CREATE), EEXIST);
	FAILS(setxattr("x", "user.none", "2", 1, XATTR_REPLACE), ENODATA);
	EXPECT(!setxattr("x", "user.big", value, 3000, 0));
	EXPECT(getxattr("x", "user.big", NULL, 0) == 3000 &&
	       getxattr("x", "user.big", value, 3000) == 3000);
	FAILS(getxattr("x", "user.big", value, 10), ERANGE);
	FAILS(getxattr("x", "user.none", value, 10), ENODATA);
	EXPECT(!setxattr("x", "user.empty", "", 0, 0) &&
	       getxattr("x", "user.empty", value, 10) == 0);
	EXPECT(listxattr("x", names, sizeof(names)) == 11 + 9 + 11);
	EXPECT(!removexattr("x", "user.big"));
	FAILS(removexattr("x", "user.big"), ENODATA);
	FAILS(setxattr("x", "nonsense.name", "1", 1, 0), EOPNOTSUPP);
	if (!geteuid())
		EXPECT(!setxattr("x", "trusted.t", "1", 1, 0) &&
		       !setxattr("x", "security.s", "1", 1, 0));
	EXPECT(!unlink("x"));
}

static void mmap_shared(void)
{
	int fd = make("map", NULL);
	char buf[16] = "", *p;

	EXPECT(!ftruncate(fd, 3 * BLOCK));
	p = mmap(NULL, 3 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(p != MAP_FAILED);
	strcpy(p + BLOCK, "mapped");
	EXPECT(!msync(p, 3 * BLOCK, MS_SYNC) && pread(fd, buf, 6, BLOCK) == 6 &&
	       !strcmp(buf, "mapped"));
	EXPECT(pwrite(fd, "W", 1, BLOCK) == 1 && p[BLOCK] == 'W');
	EXPECT(!munmap(p, 3 * BLOCK) && !close(fd) && !unlink("map"));
}

static void o_direct(void)
{
	int fd = open("direct", O_CREAT | O_RDWR | O_DIRECT, 0644);
	char *buf = aligned_alloc(BLOCK, 4 * BLOCK);

	EXPECT(fd >= 0 && buf);
	memset(buf, 'd', 4 * BLOCK);
	EXPECT(pwrite(fd, buf, 4 * BLOCK, 0) == 4 * BLOCK);
	memset(buf, 0, 4 * BLOCK);
	EXPECT(pread(fd, buf, 4 * BLOCK, 0) == 4 * BLOCK && buf[0] == 'd' &&
	       buf[4 * BLOCK - 1] == 'd');
	EXPECT(pread(fd, buf, BLOCK, 4 * BLOCK) == 0 && !close(fd) && !unlink("direct"));
	free(buf);
}

/* A write-only handle bypasses the page cache; others must see what it writes, and it what they write. */
static void handles_see_each_other(void)
{
	int cached = make("both", "0123456789"), direct = open("both", O_WRONLY);
	char buf[16] = "", *p = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, cached, 0);

	EXPECT(cached >= 0 && direct >= 0 && p != MAP_FAILED && p[3] == '3');
	EXPECT(pwrite(direct, "abc", 3, 3) == 3 && p[3] == 'a');
	EXPECT(pread(cached, buf, 10, 0) == 10 && !strcmp(buf, "012abc6789"));
	EXPECT(pwrite(cached, "Z", 1, 9) == 1 && pwrite(direct, "Y", 1, 8) == 1);
	EXPECT(pread(cached, buf, 10, 0) == 10 && !strcmp(buf, "012abc67YZ"));
	EXPECT(!close(direct) && (direct = open("both", O_WRONLY | O_APPEND)) >= 0);
	EXPECT(pwrite(cached, "cc", 2, 10) == 2 && write(direct, "dd", 2) == 2);
	EXPECT(pread(cached, buf, 15, 0) == 14 && !strcmp(buf, "012abc67YZccdd"));
	EXPECT(!munmap(p, BLOCK) && !close(direct) && !close(cached) && !unlink("both"));
}

static void locks(void)
{
	int a = make("lock", "x"), b = open("lock", O_RDWR);
	struct flock l = { .l_type = F_WRLCK };

	EXPECT(!flock(a, LOCK_EX));
	FAILS(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	EXPECT(!flock(a, LOCK_UN) && !fcntl(a, F_OFD_SETLK, &l));
	FAILS(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
	l.l_pid = 0;
	EXPECT(!close(a) && !fcntl(b, F_OFD_SETLK, &l) && !close(b) && !unlink("lock"));
}

/* By a child without root's powers, whose writes have to clear the bits. */
static void writes_clear_set_id(void)
{
	int status, fd = make("suid", "x");
	struct stat st;

	if (geteuid()) {
		EXPECT(!close(fd) && !unlink("suid"));
		return;
	}
	EXPECT(!fchmod(fd, 06777) && !fstat(fd, &st) && (st.st_mode & 07777) == 06777 &&
	       !close(fd));
	for (int by_truncate = 0; by_truncate < 2; by_truncate++) {
		EXPECT(!chmod("suid", 06777));
		if (!fork()) {
			if (setgid(4242) || setuid(4242))
				_exit(2);
			if (by_truncate)
				_exit(truncate("suid", 0) != 0);
			fd = open("suid", O_RDWR);
			_exit(write(fd, "y", 1) != 1);
		}
		EXPECT(wait(&status) > 0 && status == 0);
		EXPECT(!stat("suid", &st) && (st.st_mode & 07777) == 0777);
	}
	EXPECT(!chmod("suid", 06777) && !chown("suid", 4242, 4242));
	EXPECT(!stat("suid", &st) && (st.st_mode & 07777) == 0777 && st.st_uid == 4242 &&
	       !unlink("suid"));
}

static void set_gid_directories(void)
{
	struct stat st;

	if (geteuid())
		return;
	EXPECT(!mkdir("sg", 0755) && !chown("sg", 0, 4242) && !chmod("sg", 02755));
	close(make("sg/f", ""));
	EXPECT(!stat("sg/f", &st) && st.st_gid == 4242 && !mkdir("sg/d", 0755));
	EXPECT(!stat("sg/d", &st) && st.st_gid == 4242 && (st.st_mode & S_ISGID));
	EXPECT(!unlink("sg/f") && !rmdir("sg/d") && !rmdir("sg"));
}

static void open_by_handle(void)
{
	union {
		struct file_handle h;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} handle = { .h = { .handle_bytes = MAX_HANDLE_SZ } };
	int mount_id, mount_fd = open(".", O_RDONLY | O_DIRECTORY), fd;
	char buf[8] = "";

	close(make("handle", "by no."));
	EXPECT(!name_to_handle_at(AT_FDCWD, "handle", &handle.h, &mount_id, 0));
	if (!geteuid()) {
		fd = open_by_handle_at(mount_fd, &handle.h, O_RDONLY);
		EXPECT(fd >= 0 && read(fd, buf, 6) == 6 && !strcmp(buf, "by no.") && !close(fd));
		EXPECT(!unlink("handle"));
		/* The kernel tells us of the close when it likes, and the file lives until then. */
		for (int i = 0; i < 500; i++) {
			fd = open_by_handle_at(mount_fd, &handle.h, O_RDONLY);
			if (fd == -1)
				break;
			close(fd);
			usleep(10000);
		}
		EXPECT(fd == -1 && errno == ESTALE);
	} else {
		EXPECT(!unlink("handle"));
	}
	EXPECT(!close(mount_fd));
}

static void large_directories(void)
{
	enum { N = 3000 };
	static bool seen[N];
	struct dirent *e;
	char name[32];
	int n = 0;
	DIR *d;

	EXPECT(!mkdir("many", 0755));
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "many/f%d", i);
		close(make(name, NULL));
	}
	EXPECT((d = opendir("many")) != NULL);
	while ((e = readdir(d)))
		if (e->d_name[0] == 'f') {
			int i = atoi(e->d_name + 1);

			EXPECT(i >= 0 && i < N && !seen[i] && e->d_type == DT_REG);
			seen[i] = true;
			n++;
			snprintf(name, sizeof(name), "many/%.20s", e->d_name);
			EXPECT(!unlink(name)); /* while the walk is under way */
		}
	EXPECT(n == N && !closedir(d) && !rmdir("many"));
}

static void directory_positions(void)
{
	struct dirent *e;
	char name[16], third[256] = "";
	long at = 0;
	DIR *d;

	EXPECT(!mkdir("pos", 0755));
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "pos/%d", i);
		close(make(name, NULL));
	}
	EXPECT((d = opendir("pos")) != NULL);
	for (int i = 0; i < 10 && (e = readdir(d)); i++)
		if (i == 8)
			at = telldir(d);
		else if (i == 9)
			strcpy(third, e->d_name);
	while (readdir(d))
		;
	seekdir(d, at);
	EXPECT((e = readdir(d)) && !strcmp(e->d_name, third) && !closedir(d));
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "pos/%d", i);
		unlink(name);
	}
	EXPECT(!rmdir("pos"));
}

static void appends(void)
{
	int a = open("app", O_CREAT | O_WRONLY | O_APPEND, 0644),
	    b = open("app", O_RDWR | O_APPEND);

	EXPECT(write(a, "1", 1) == 1 && write(b, "2", 1) == 1 && write(a, "3", 1) == 1);
	EXPECT(!close(a) && !close(b) && holds("app", "123") && !unlink("app"));
	a = open("app", O_CREAT | O_RDWR | O_SYNC, 0644);
	EXPECT(write(a, "s", 1) == 1 && !close(a) && holds("app", "s"));
	EXPECT((a = open("app", O_WRONLY | O_TRUNC)) >= 0 && !close(a) && holds("app", "") &&
	       !unlink("app"));
}

static void errors(void)
{
	struct statvfs vfs;
	int fd = make("file", "x");
	char buf[8];

	FAILS(open("file/x", O_RDONLY), ENOTDIR);
	FAILS(open("none/x", O_CREAT | O_WRONLY, 0644), ENOENT);
	FAILS(open("file", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
	FAILS(open(".", O_RDWR), EISDIR);
	FAILS(mkdir("file", 0755), EEXIST);
	FAILS(rmdir("file"), ENOTDIR);
	FAILS(unlink("."), EISDIR);
	FAILS(ftruncate(fd, (off_t)1 << 50), EFBIG);
	FAILS(readlink("file", buf, sizeof(buf)), EINVAL);
	EXPECT(!statvfs(".", &vfs) && vfs.f_namemax == 255 && vfs.f_bavail <= vfs.f_blocks &&
	       vfs.f_files);
	EXPECT(!close(fd) && !unlink("file"));
}

static void flags_and_trim(void)
{
	struct fstrim_range range = { .len = UINT64_MAX };
	int fd = make("fl", "x"), flags = 0, dir = open(".", O_RDONLY | O_DIRECTORY);

	EXPECT(!ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags == 0);
	flags = FS_NODUMP_FL;
	EXPECT(!ioctl(fd, FS_IOC_SETFLAGS, &flags));
	flags = 0;
	EXPECT(!ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags == FS_NODUMP_FL);
	EXPECT(geteuid() || !ioctl(dir, FITRIM, &range) || errno == EOPNOTSUPP);
	EXPECT(!close(fd) && !close(dir) && !unlink("fl"));
}

#define CHECK(name)                                                                                \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	void (*run)(void);
} checks[] = {
	CHECK(rename_flags),
	CHECK(rename_of_directories),
	CHECK(unlinked_open_files),
	CHECK(o_tmpfile),
	CHECK(links),
	CHECK(special_files),
	CHECK(long_names),
	CHECK(times),
	CHECK(mtime_follows_writes),
	CHECK(sparse_files),
	CHECK(fallocate_modes),
	CHECK(collapse_and_insert),
	CHECK(copy_file_range_shares),
	CHECK(xattrs),
	CHECK(mmap_shared),
	CHECK(o_direct),
	CHECK(handles_see_each_other),
	CHECK(locks),
	CHECK(writes_clear_set_id),
	CHECK(set_gid_directories),
	CHECK(open_by_handle),
	CHECK(large_directories),
	CHECK(directory_positions),
	CHECK(appends),
	CHECK(errors),
	CHECK(flags_and_trim),
};

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1])) {
		fprintf(stderr, "usage: features DIR\n");
		return 2;
	}
	umask(022);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		check_name = checks[i].name;
		checks[i].run();
	}
	printf("%zu checks, %d failed\n", sizeof(checks) / sizeof(*checks), failures);
	return failures != 0;
}
