/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fsck.lfs: check a filesystem that is not mounted, and repair what is safe to repair.
 */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../fuse/image.h"

const char *const tool_name = "fsck.lfs";
const char tool_help[] =
	"usage: fsck.lfs [-n|-y] [--scrub] [--json] IMAGE\n"
	"\n"
	"Check an fs-lfs filesystem: checksums, the certificates of its maps, link counts, live "
	"bitmaps.\n"
	"A filesystem that was not unmounted needs no fsck: mounting it is enough.\n"
	"\n"
	"  -n, --no         write nothing (default)\n"
	"  -y, --yes        repair what is safe to repair (also: -a, -p)\n"
	"      --scrub      read and verify every live block of data, too\n"
	"      --cap SIZE   most memory to use\n"
	"  -q, --quiet      findings only\n"
	"      --json       findings and figures as JSON\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0 sound; 1 damaged, all of it repaired; 4 damage remains; 8 could not check; "
	"16 bad usage.\n";

enum { SOUND = 0, REPAIRED = 1, DAMAGED = 4, FAILED = 8, USAGE = 16 };

struct command {
	const char *image;
	struct lfs_check_options check;
	bool quiet;
	json_t *findings; /* --json */
	struct progress progress;
};

static void found(void *ctx, enum lfs_severity severity, const char *line)
{
	static const char *const names[] = { "fixed", "damage", "fatal" };
	struct command *cmd = ctx;
	const char *name = severity <= LFS_FOUND_FATAL ? names[severity] : "damage";

	progress_end(&cmd->progress);
	if (cmd->findings)
		json_array_append_new(cmd->findings,
				      json_pack("{s:s, s:s}", "severity", name, "text", line));
	else
		printf("%s: %s: %s\n", cmd->image, name, line);
}

static void progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
	struct command *cmd = ctx;

	progress_of(&cmd->progress, phase, done, total);
}

/* -1: go on; else the exit status. */
static int parse(struct command *cmd, int argc, char **argv)
{
	static const struct option longs[] = { { "no", no_argument, NULL, 'n' },
					       { "yes", no_argument, NULL, 'y' },
					       { "scrub", no_argument, NULL, 's' },
					       { "cap", required_argument, NULL, 'c' },
					       { "quiet", no_argument, NULL, 'q' },
					       { "json", no_argument, NULL, 'j' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       { 0 } };
	bool no = false;
	int c;

	/* fsck(8) passes -a, and -C FD or -T that mean nothing here; -f is what e2fsck's users type. */
	while ((c = getopt_long(argc, argv, "nyapfTC::qhV", longs, NULL)) != -1) {
		if (c == 'h')
			return print_help();
		if (c == 'V')
			return print_version();
		if (c == '?')
			return USAGE;
		no |= c == 'n';
		cmd->check.repair |= c == 'y' || c == 'a' || c == 'p';
		cmd->check.scrub |= c == 's';
		cmd->quiet |= c == 'q';
		if (c == 'j')
			cmd->findings = json_array();
		if (c == 'c' && !image_bytes(optarg, &cmd->check.cap_bytes)) {
			complain("--cap %s: expected bytes, such as 256M", optarg);
			return USAGE;
		}
	}
	if (argc - optind != 1 || (no && cmd->check.repair)) {
		complain(no && cmd->check.repair ? "expected -n or -y, found both" :
						   "expected one IMAGE; see fsck.lfs --help");
		return USAGE;
	}
	cmd->image = argv[optind];
	return -1;
}

static int status_of(int r, const struct lfs_check_result *result)
{
	if (!r)
		return result->findings ? REPAIRED : SOUND;
	return r == -EUCLEAN || r == -EBADMSG || r == -EIO ? DAMAGED : FAILED;
}

static int report(const struct command *cmd, int r, const struct lfs_check_result *result)
{
	static const char *const verdicts[] = { "sound", "repaired", "", "", "damaged" };
	int status = status_of(r, result);
	const char *verdict = status == FAILED ? "not checked" : verdicts[status];

	if (cmd->findings) {
		json_t *o = json_pack("{s:s, s:s, s:O}", "image", cmd->image, "verdict", verdict,
				      "list", cmd->findings);
#define PUT(member) json_object_set_new(o, #member, json_integer((json_int_t)result->member))
		PUT(findings);
		PUT(fixed);
		PUT(inodes);
		PUT(directories);
		PUT(extents);
		PUT(blocks);
		PUT(scrubbed_blocks);
#undef PUT
		return print_json(o) ? FAILED : status;
	}
	if (!cmd->quiet || status)
		printf("%s: %s: %s inodes, %s directories, %s extents, %s blocks; %s findings, %s "
		       "repaired\n",
		       cmd->image, verdict, grouped(result->inodes).text,
		       grouped(result->directories).text, grouped(result->extents).text,
		       grouped(result->blocks).text, grouped(result->findings).text,
		       grouped(result->fixed).text);
	if (!cmd->quiet && cmd->check.scrub)
		printf("%s: %s blocks of data read and verified\n", cmd->image,
		       grouped(result->scrubbed_blocks).text);
	if (status == DAMAGED && !cmd->check.repair)
		printf("%s: fsck.lfs -y repairs what is safe to repair\n", cmd->image);
	return status;
}

static int check(struct command *cmd, struct lfs_bdev *dev)
{
	struct lfs_check_result result = { 0 };
	char why[IMAGE_WHY_BYTES];
	struct lfs_super_info info;
	int r = image_probe(cmd->image, dev, &info, why);

	/* Damaged superblocks are what a check is for; anything else is no filesystem to check. */
	if (r && r != -EBADMSG && r != -EUCLEAN) {
		complain("%s", why);
		return FAILED;
	}
	cmd->check.found = found;
	cmd->check.progress = progress;
	cmd->check.ctx = cmd;
	r = lfs_check(dev, &cmd->check, &result);
	progress_end(&cmd->progress);
	if (r && status_of(r, &result) == FAILED) {
		image_explain(cmd->image, r, why);
		complain("%s", why);
		return FAILED;
	}
	if (r && !result.findings)
		complain("%s: damaged beyond what can be checked: %s", cmd->image, strerror(-r));
	return report(cmd, r, &result);
}

int main(int argc, char **argv)
{
	struct command cmd = { .image = NULL };
	char why[IMAGE_WHY_BYTES];
	struct lfs_bdev *dev;
	int status = parse(&cmd, argc, argv);

	if (status >= 0)
		return status;
	if (image_open(cmd.image, cmd.check.repair ? 0 : LFS_BDEV_READ_ONLY, &dev, why)) {
		complain("%s", why);
		return FAILED;
	}
	status = check(&cmd, dev);
	lfs_bdev_close(dev);
	json_decref(cmd.findings);
	return status;
}
