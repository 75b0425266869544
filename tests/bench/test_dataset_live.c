/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sets from outside: extents of files, pages of processes, keys of SOSD. What this machine does not have
 * (FIEMAP, root) is skipped, after a look at what is said about it.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* A test that is skipped is not cleaned up after. */
#define SKIP(...)                                                                                  \
	do {                                                                                       \
		scratch_close();                                                                   \
		cr_skip_test(__VA_ARGS__);                                                         \
	} while (0)

TestSuite(dataset_live, .init = scratch_open, .fini = scratch_close);

static const char *spec_of(const char *prefix, const char *rest)
{
	static char spec[600];

	snprintf(spec, sizeof(spec), "%s:%s", prefix, rest);
	return spec;
}

/* As loaded(), but what the machine cannot do skips the test. */
static struct dataset loaded_or_skipped(const char *spec, int unable)
{
	char why[DATASET_WHY_BYTES];
	struct dataset d = { 0 };
	int err = dataset_load(spec, 1, &d, why);

	if (err == unable)
		SKIP("%s", why);
	CHECK(!err, "%s: %d: %s", spec, err, why);
	well_formed(&d);
	return d;
}

/* ---- FIEMAP ---------------------------------------------------------------------------------- */

#define STRIDE 1048576

/* Data of 8 KiB at each of @n MiB, and nothing in between. */
static void make_sparse(const char *name, unsigned int n)
{
	int fd = open(scratch_path(name).text, O_RDWR | O_CREAT, 0600);
	char data[8192];

	memset(data, 'x', sizeof(data));
	cr_assert_geq(fd, 0);
	for (off_t i = 0; i < (off_t)n; i++)
		cr_assert_eq(pwrite(fd, data, sizeof(data), i * STRIDE), sizeof(data));
	cr_assert_eq(ftruncate(fd, (off_t)n * STRIDE), 0);
	close(fd);
}

/* Blocks of the filesystem in @bytes, as the first run of a sparse file tells. */
static uint64_t blocks(const struct dataset *d, uint64_t bytes)
{
	return bytes / (8192 / (d->runs[0].last - d->runs[0].first + 1));
}

Test(dataset_live, fiemap_of_a_sparse_file_has_its_data_and_its_holes)
{
	struct dataset d;

	make_sparse("sparse", 40);
	d = loaded_or_skipped(spec_of("fiemap", scratch_path("sparse").text), -EOPNOTSUPP);
	cr_assert_eq(d.n, 40);
	for (size_t i = 0; i < d.n; i++) {
		cr_assert_eq(d.runs[i].first, i * blocks(&d, STRIDE));
		cr_assert_eq(d.runs[i].last - d.runs[i].first + 1, blocks(&d, 8192));
		cr_assert(d.runs[i].value && d.runs[i].step == 1);
	}
	dataset_free(&d);
}

Test(dataset_live, fiemap_of_a_tree_puts_its_files_one_behind_the_other)
{
	struct dataset d;
	uint64_t behind;

	make_sparse("b", 3);
	cr_assert_eq(mkdir(scratch_path("a").text, 0700), 0);
	make_sparse("a/x", 2);
	scratch_write("empty", "", 0);
	cr_assert_eq(symlink("b", scratch_path("c").text), 0);
	d = loaded_or_skipped(spec_of("fiemap", scratch_dir), -EOPNOTSUPP);
	cr_assert_eq(d.n, 5);
	behind = 2 * blocks(&d, STRIDE);
	cr_assert_eq(d.runs[1].first, blocks(&d, STRIDE));
	cr_assert(d.runs[2].first > behind && d.runs[2].first < behind + 4);
	cr_assert_eq(d.runs[4].first - d.runs[2].first, 2 * blocks(&d, STRIDE));
	dataset_free(&d);
}

Test(dataset_live, fiemap_says_why_it_cannot)
{
	refused("fiemap:", -ENOENT, "cannot read: No such file");
	refused(spec_of("fiemap", scratch_path("none").text), -ENOENT, "/none: cannot read");
	refused(spec_of("fiemap", scratch_dir), -ENODATA, "expected a file, found none");
	refused("fiemap:/dev/null", -EINVAL, "found a special file");
	refused("fiemap:/proc/self/status", -EOPNOTSUPP, "(FIEMAP), found none");
}

/* ---- Pages ----------------------------------------------------------------------------------- */

Test(dataset_live, pagemap_of_this_process_has_the_pages_it_touched)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = 64;
	char *area = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct dataset d;
	size_t found = 0;

	if (SANITIZED)
		SKIP("the shadow of a sanitizer takes minutes to read");
	cr_assert_neq(area, MAP_FAILED);
	cr_assert_eq(madvise(area, pages * page, MADV_NOHUGEPAGE), 0);
	for (size_t i = 0; i < pages; i += 2)
		area[i * page] = 1;
	d = loaded_or_skipped("pagemap:self", -EPERM);
	for (size_t i = 0; i < d.n; i++)
		for (uint64_t key = d.runs[i].first; key <= d.runs[i].last; key++)
			if (key - (uintptr_t)area / page < pages)
				found += (key - (uintptr_t)area / page) % 2 ? 1000 : 1;
	cr_assert_eq(found, pages / 2);
	dataset_free(&d);
	munmap(area, pages * page);
}

/* A process without a sanitizer, since it runs another program. */
Test(dataset_live, pagemap_of_another_process_and_of_one_that_is_gone)
{
	char why[DATASET_WHY_BYTES], spec[64];
	struct dataset d = { 0 };
	pid_t pid = fork();
	int err;

	if (!pid) {
		execlp("sleep", "sleep", "60", (char *)NULL);
		_exit(1);
	}
	usleep(50000);
	snprintf(spec, sizeof(spec), "pagemap:%d", (int)pid);
	err = dataset_load(spec, 1, &d, why);
	if (!err) {
		well_formed(&d);
		cr_assert_str_eq(d.name, spec);
		dataset_free(&d);
	} else {
		cr_assert(err == -EPERM && strstr(why, "expected to be root"), "%d: %s", err, why);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	refused(spec, -ESRCH, "expected a process, found none");
}

/* What root sees, others do not. */
Test(dataset_live, pagemap_without_root_is_refused)
{
	pid_t pid;
	int status;

	if (SANITIZED)
		SKIP("the shadow of a sanitizer takes minutes to read");
	pid = fork();
	if (!pid) {
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(2);
		refused("pagemap:1", -EPERM, "expected to be root");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
}

Test(dataset_live, pagemap_of_no_number_is_refused)
{
	refused("pagemap:", -EINVAL, "expected the number of a process");
	refused("pagemap:../1", -EINVAL, "found \"../1\"");
	refused("pagemap:0", -EINVAL, "found \"0\"");
	refused("pagemap:99999999999", -EINVAL, "found");
	refused("pagemap:2147483647", -ESRCH, "expected a process, found none");
}

/* ---- SOSD ------------------------------------------------------------------------------------ */

static const char *sosd_file(uint64_t count, const uint64_t *keys, size_t n, size_t bytes)
{
	uint64_t words[16] = { htole64(count) };

	for (size_t i = 0; i < n; i++)
		words[i + 1] = htole64(keys[i]);
	return spec_of("sosd", scratch_write("keys", words, bytes).text);
}

Test(dataset_live, sosd_maps_keys_to_positions)
{
	static const uint64_t keys[] = { 3, 4, 5, 5, 6, 900, 900, UINT64_MAX };
	const struct lindex_run want[] = { { 3, 5, 0, 0, 1, 1 },
					   { 6, 6, 4, 0, 1, 1 },
					   { 900, 900, 5, 0, 1, 1 },
					   { UINT64_MAX, UINT64_MAX, 7, 0, 1, 1 } };
	struct dataset d = loaded(sosd_file(8, keys, 8, 72), 1);

	cr_assert_eq(d.n, 4);
	cr_assert_eq(d.keys, 6);
	for (size_t i = 0; i < 4; i++)
		cr_assert(same_run(&d.runs[i], &want[i]), "run %zu", i);
	dataset_free(&d);
}

Test(dataset_live, sosd_files_that_are_none_are_refused)
{
	static const uint64_t keys[] = { 3, 5, 4 };

	refused(sosd_file(3, keys, 3, 32), -EINVAL, "key 2: expected 0x5 or more, found 0x4");
	refused(sosd_file(3, keys, 3, 24), -EINVAL,
		"expected 8 bytes for each of 3 keys, found 16 bytes");
	refused(sosd_file(2, keys, 3, 32), -EINVAL, "each of 2 keys, found 24 bytes");
	refused(sosd_file(UINT64_MAX, keys, 3, 32), -EINVAL, "found 24 bytes");
	refused(sosd_file(3, keys, 3, 33), -EINVAL, "found 25 bytes");
	refused(sosd_file(3, keys, 3, 5), -EINVAL, "expected a count of 8 bytes, found 5 bytes");
	refused(sosd_file(0, keys, 3, 8), -ENODATA, "expected at least one run");
	refused("sosd:/nowhere/keys", -ENOENT, "cannot open");
	refused(spec_of("sosd", scratch_dir), -EINVAL, "found a directory");
}
