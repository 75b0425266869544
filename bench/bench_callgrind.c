/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Instructions per lookup, counted by valgrind's tool callgrind where there is one.
 *
 * The program starts itself below callgrind, which counts only while it is told to: around the lookups, once for
 * each structure. The set goes there as a file, so that live data are the same in both.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_cmd.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else /* then nobody is below callgrind */
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name) ((void)(name))
#endif

#define PATH_BYTES 4096
#define RUNS_MOST  (4u << 20) /* a larger set takes minutes to get there */

static const char *const modes[] = { "instructions", "instructions-batch" };

/* ---- Below callgrind ----------------------------------------------------------------------- */

/* Return: whether the answers add up. */
static bool count(struct loop *loop, const struct runs *runs, const char *mode)
{
	uint64_t (*lookups)(const void *map, const uint64_t *keys,
			    size_t n) = loop->mode == LOOP_BATCH ? loop->ops->batch :
								   loop->ops->lookups;
	char slug[SLUG_BYTES], name[2 * SLUG_BYTES];
	uint64_t sum;

	peer_slug(loop->ops->name, slug);
	snprintf(name, sizeof(name), "%s %s", slug, mode);
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
	sum = lookups(loop->map, loop->keys, loop->n);
	CALLGRIND_DUMP_STATS_AT(name);
	CALLGRIND_STOP_INSTRUMENTATION;
	return sum == twin_sum(runs, loop);
}

int callgrind_child(struct set *s, size_t n)
{
	struct loop loop = { .keys = keys_drawn(s, DIST_RUN, n), .n = n };
	bool right = true;

	set_build(s);
	for (unsigned int i = 0; i < 2 * s->cfg->n_peers; i++) {
		unsigned int at = i % s->cfg->n_peers, batch = i / s->cfg->n_peers;

		loop.ops = s->cfg->peers[at];
		loop.map = s->maps[at];
		loop.mode = batch ? LOOP_BATCH : LOOP_FREE;
		if (loop.map && (!batch || loop.ops->batch))
			right &= count(&loop, &s->runs, modes[batch]);
	}
	return right ? 0 : STATUS_NO;
}

/* ---- Above it ------------------------------------------------------------------------------ */

/** struct errand - A folder for the set, and for what callgrind writes. */
struct errand {
	char folder[PATH_BYTES], set[PATH_BYTES + 16], out[PATH_BYTES + 64];
};

static void errand_end(const struct errand *e)
{
	DIR *folder = opendir(e->folder);
	struct dirent *file;

	while (folder && (file = readdir(folder)))
		if (file->d_name[0] != '.')
			(void)unlinkat(dirfd(folder), file->d_name, 0);
	if (folder)
		closedir(folder);
	(void)rmdir(e->folder);
}

static bool errand_begin(struct errand *e, const struct set *s)
{
	const char *tmp = getenv("TMPDIR");
	char why[DATASET_WHY_BYTES];

	snprintf(e->folder, sizeof(e->folder), "%s/lindex-bench-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(e->folder)) {
		rows_note("instructions: %s: cannot create: %s", e->folder, strerror(errno));
		return false;
	}
	snprintf(e->set, sizeof(e->set), "%s/set.runs", e->folder);
	snprintf(e->out, sizeof(e->out), "--callgrind-out-file=%s/out", e->folder);
	if (dataset_save(&s->data, e->set, why)) {
		rows_note("instructions: %s", why);
		errand_end(e);
		return false;
	}
	return true;
}

static void slugs_of(const struct config *cfg, char *list, size_t room)
{
	char slug[SLUG_BYTES];
	size_t len = 0;

	for (unsigned int i = 0; i < cfg->n_peers; i++) {
		peer_slug(cfg->peers[i]->name, slug);
		len += (size_t)snprintf(list + len, room - len, "%s%s", len ? "," : "", slug);
	}
}

static int spawn_quietly(char **argv, pid_t *pid)
{
	posix_spawn_file_actions_t quiet;
	int err = posix_spawn_file_actions_init(&quiet);

	if (err)
		return err;
	err = posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&quiet, 1, 2);
	if (!err)
		err = posix_spawnp(pid, argv[0], &quiet, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&quiet);
	return err;
}

/* Return: 0; STATUS_NO: an answer was wrong; -1: nothing was counted, and a note says why. */
static int run_below(struct errand *e, const struct config *cfg, size_t n)
{
	char self[PATH_BYTES] = "", slugs[PEERS_MAX * SLUG_BYTES], seed[24], keys[24];
	char *argv[] = { "valgrind",
			 "--tool=callgrind",
			 "--instr-atstart=no",
			 e->out,
			 self,
			 CALLGRIND_CHILD,
			 keys,
			 "--data",
			 e->set,
			 "--structures",
			 slugs,
			 "--seed",
			 seed,
			 NULL };
	int err, status = 0;
	pid_t pid;

	slugs_of(cfg, slugs, sizeof(slugs));
	snprintf(seed, sizeof(seed), "%" PRIu64, cfg->seed);
	snprintf(keys, sizeof(keys), "%zu", n);
	err = readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ? errno :
								       spawn_quietly(argv, &pid);
	if (!err && waitpid(pid, &status, 0) < 0)
		err = errno;
	if (!err && WIFEXITED(status) && WEXITSTATUS(status) <= STATUS_NO)
		return WEXITSTATUS(status);
	if (err == ENOENT)
		rows_note("instructions: not counted: there is no valgrind");
	else
		rows_note("instructions: not counted: valgrind: %s",
			  err ? strerror(err) : "it could not run this program");
	return -1;
}

/* What is behind @word in a line that begins with it. */
static bool word_behind(const char *line, const char *word, char *text, size_t room)
{
	size_t len = strlen(word);

	if (strncmp(line, word, len) != 0)
		return false;
	snprintf(text, room, "%.*s", (int)strcspn(line + len, "\n"), line + len);
	return true;
}

static void report_dump(const struct set *s, FILE *dump, size_t n, bool right)
{
	char line[PATH_BYTES], name[2 * SLUG_BYTES] = "", total[32] = "", *mode;
	struct row row;

	while (fgets(line, sizeof(line), dump))
		if (!word_behind(line, "desc: Trigger: Client Request: ", name, sizeof(name)))
			(void)word_behind(line, "totals: ", total, sizeof(total));
	mode = strchr(name, ' ');
	if (!mode)
		return;
	*mode++ = 0;
	row = row_of(s, name, "lines", mode, dist_names[DIST_RUN]);
	row.checked = right;
	row_extra(&row, "instructions", (double)strtoull(total, NULL, 10) / (double)n);
	rows_add(&row);
}

/* A dump for each structure and mode, numbered from 1 on. Those of a mode make a table. */
static void report_dumps(const struct set *s, const struct errand *e, size_t n, bool right)
{
	const char *path = strchr(e->out, '=') + 1;
	char name[PATH_BYTES + 64];

	for (unsigned int i = 1; i <= 2 * PEERS_MAX; i++) {
		FILE *dump;

		snprintf(name, sizeof(name), "%s.%u", path, i);
		dump = fopen(name, "r");
		if (!dump)
			break;
		report_dump(s, dump, n, right);
		fclose(dump);
	}
	rows_show();
}

void instructions_count(struct set *s)
{
	size_t n = s->cfg->quick ? 2000 : 20000;
	struct errand errand;
	int status;

	if (s->runs.n > RUNS_MOST) {
		rows_note("instructions: not counted for more than %u runs", RUNS_MOST);
		return;
	}
	if (!errand_begin(&errand, s))
		return;
	status = run_below(&errand, s->cfg, n);
	if (status >= 0)
		report_dumps(s, &errand, n, !status);
	errand_end(&errand);
}
