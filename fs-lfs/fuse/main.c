/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * mount.lfs: from a command line to a mounted filesystem, and back when it is unmounted.
 *
 *     parse -> resolve paths -> (background) -> open image -> lfs_mount -> mount(2) -> threads
 *                                                                            |
 *     exit  <- close image   <- lfs_unmount  <-  threads end  <-  umount(8), or SIGTERM: unmount()
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"

#define BUSY_SECONDS 5 /* after a signal: how long those who have files open are waited for */

static const char help[] =
	"usage: mount.lfs IMAGE DIR [-f] [-o OPTION,...]\n"
	"\n"
	"Mount the fs-lfs filesystem in IMAGE, a file or a block device, on the directory DIR.\n"
	"\n"
	"  -f, --foreground  do not go into the background; messages go to stderr, not to syslog\n"
	"  -r, --read-only   as -o ro\n"
	"  -o OPTION,...     ro            write nothing, not even after a crash\n"
	"                    cap=BYTES     most memory for caches and maps (256M)\n"
	"                    commit=SEC    changes older than this are made durable (5)\n"
	"                    discard       tell the device about free segments\n"
	"                    noallow_other only the mounting user gets in (default if that is not "
	"root)\n"
	"                    nowriteback   each write(2) waits for us; else the kernel may tell us "
	"later\n"
	"                                  (writeback: default for root)\n"
	"                    noacl         no POSIX ACLs\n"
	"                    threads=N     that serve requests (twice the processors, at least 4)\n"
	"                    nohalt, halt  processors that idle between requests stay awake, or "
	"not "
	"(tried\n"
	"                                  out in small virtual machines)\n"
	"                    suid,dev,exec,sync,dirsync,noatime,allow_root,context=...  as for "
	"mount(8)\n"
	"  -h, --help        this text\n"
	"  -V, --version\n"
	"\n"
	"Unmount with umount(8) or fusermount3 -u. \"mount -t fuse.lfs IMAGE DIR\" and fstab lines "
	"work, too.\n";

struct command {
	const char *image, *dir;
	char *options;
	bool foreground, read_only, fake;
};

static _Noreturn void wrong_usage(const char *what)
{
	fprintf(stderr, "mount.lfs: %s; see mount.lfs --help\n", what);
	exit(EXIT_FAILURE);
}

static void add_options(struct command *cmd, const char *text)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", cmd->options ? cmd->options : "", cmd->options ? "," : "",
		     text) < 0)
		wrong_usage("out of memory");
	free(cmd->options);
	cmd->options = joined;
}

/*
 * mount(8) runs its helpers as "mount.fuse.lfs IMAGE DIR [-sfnv] [-N NS] [-o OPTIONS] [-t TYPE]", where -f means
 * "only look whether it would work".
 */
static void parse(struct command *cmd, int argc, char **argv)
{
	static const struct option longs[] = { { "foreground", no_argument, NULL, 'F' },
					       { "read-only", no_argument, NULL, 'r' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       { 0 } };
	const char *name = strrchr(argv[0], '/');
	bool is_helper = !strcmp(name ? name + 1 : argv[0], "mount.fuse.lfs");
	int c;

	while ((c = getopt_long(argc, argv, "fFrwo:snvN:t:hV", longs, NULL)) != -1) {
		if (c == 'F' || (c == 'f' && !is_helper))
			cmd->foreground = true;
		else if (c == 'f')
			cmd->fake = true;
		else if (c == 'r')
			cmd->read_only = true;
		else if (c == 'o')
			add_options(cmd, optarg);
		else if (c == 'h')
			exit(fputs(help, stdout) < 0);
		else if (c == 'V')
			exit(printf("mount.lfs %s\n", LFS_VERSION_TEXT) < 0);
		else if (c == '?')
			exit(EXIT_FAILURE); /* getopt has said why */
	}
	if (argc - optind != 2)
		wrong_usage("expected IMAGE DIR");
	cmd->image = argv[optind];
	cmd->dir = argv[optind + 1];
	if (cmd->read_only)
		add_options(cmd, "ro");
}

/* Absolute names, since a daemon lives in "/". A line on stderr and NULL if there is no such thing. */
static char *resolve(const char *path)
{
	char *real = realpath(path, NULL);

	if (!real && errno == ENOTCONN)
		say(LFS_LOG_ERROR, "%s: a server that was mounted here has died; umount it first",
		    path);
	else if (!real)
		say(LFS_LOG_ERROR, "%s: %s", path, strerror(errno));
	return real;
}

static int check_mountpoint(const char *path)
{
	struct stat st;

	if (stat(path, &st)) {
		int error = -errno;

		say(LFS_LOG_ERROR, "%s: %s", path, strerror(errno));
		return error;
	}
	if (S_ISDIR(st.st_mode))
		return 0;
	say(LFS_LOG_ERROR, "%s: expected a directory to mount on", path);
	return -ENOTDIR;
}

/* ---- The image --------------------------------------------------------------------------------- */

static void log_engine(void *ctx, enum lfs_log_level level, const char *line)
{
	const struct server *server = ctx;

	say(level, "%s: %s", server->image, line);
}

/* With the lock ours, a mount of the image that is still in the tree has nobody behind it. */
static int refuse_dead_mount(struct server *server, char *why)
{
	char *where = image_mountpoint(server->image);

	if (!where)
		return 0;
	snprintf(why, IMAGE_WHY_BYTES,
		 "%s: a server that was mounted on %s has died; umount it first", server->image,
		 where);
	free(where);
	return -EBUSY;
}

static int open_image(struct server *server)
{
	struct lfs_mount_options options = { .cap_bytes = server->opt.cap_bytes,
					     .read_only = server->opt.read_only,
					     .discard = server->opt.discard,
					     .commit_ms = (uint32_t)(server->opt.commit_seconds *
								     1000),
					     .callbacks = { .log = log_engine, .ctx = server } };
	char why[IMAGE_WHY_BYTES] = "";
	struct lfs_super_info info;
	struct lfs_bdev *below;
	int r = image_open(server->image, server->opt.read_only ? LFS_BDEV_READ_ONLY : 0, &below,
			   why);

	if (!r) {
		server->dev = device_create(below);
		if (!server->dev)
			lfs_bdev_close(below);
		r = server->dev ? 0 : -ENOMEM;
	}
	if (!r) {
		r = refuse_dead_mount(server, why);
		if (!r)
			r = image_probe(server->image, server->dev, &info, why);
		if (!r) {
			r = lfs_mount(server->dev, &options, &server->fs);
			if (r)
				image_explain(server->image, r, why);
		}
		if (r)
			lfs_bdev_close(server->dev);
	}
	if (r)
		say(LFS_LOG_ERROR, "%s", why);
	return r;
}

static int close_image(struct server *server)
{
	int r = lfs_unmount(server->fs);

	if (r)
		say(LFS_LOG_ERROR, "%s: the last changes could not be written: %s", server->image,
		    strerror(-r));
	lfs_bdev_close(server->dev);
	return r;
}

/* ---- The mount --------------------------------------------------------------------------------- */

static void log_fuse(enum fuse_log_level level, const char *fmt, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = 0;
	say(level <= FUSE_LOG_ERR ? LFS_LOG_ERROR : LFS_LOG_INFO, "%s", line);
}

static struct fuse_session *new_session(struct server *server)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;
	char *escaped = NULL, *options = NULL;

	/* A comma in the image's name would end the option. */
	escaped = strdup("");
	for (const char *c = server->image; escaped && *c; c++) {
		char *longer;

		if (asprintf(&longer, "%s%s%c", escaped, *c == ',' || *c == '\\' ? "\\" : "", *c) <
		    0)
			longer = NULL;
		free(escaped);
		escaped = longer;
	}
	if (escaped &&
	    asprintf(&options, "-odefault_permissions,subtype=lfs,fsname=%s%s%s", escaped,
		     server->opt.kernel ? "," : "",
		     server->opt.kernel ? server->opt.kernel : "") >= 0 &&
	    !fuse_opt_add_arg(&args, "mount.lfs") && !fuse_opt_add_arg(&args, options))
		session = fuse_session_new(&args, &server_ops, sizeof(server_ops), server);
	fuse_opt_free_args(&args);
	free(options);
	free(escaped);
	return session;
}

static int mount_session(struct server *server)
{
	static const struct fuse_custom_io io = { .writev = wire_writev, .read = wire_read };
	int r;

	fuse_set_log_func(log_fuse);
	server->session = new_session(server);
	if (!server->session)
		return -ENOMEM;
	if (fuse_session_mount(server->session, server->mountpoint)) {
		fuse_session_destroy(server->session);
		return -EIO; /* libfuse has said why */
	}
	r = fuse_session_custom_io(server->session, &io, fuse_session_fd(server->session));
	if (!r)
		r = loop_start(server);
	if (r) {
		fuse_session_unmount(server->session);
		loop_join();
		fuse_session_destroy(server->session);
	}
	return r;
}

/* ---- The end ----------------------------------------------------------------------------------- */

static int unmount(struct server *server, int flags)
{
	pid_t child;

	if (geteuid() == 0)
		return umount2(server->mountpoint, flags) ? -errno : 0;
	child = fork();
	if (!child) {
		execlp("fusermount3", "fusermount3", "-u", "-q", flags ? "-z" : "--",
		       flags ? "--" : server->mountpoint, flags ? server->mountpoint : NULL, NULL);
		_exit(127);
	}
	return child > 0 && waitpid(child, NULL, 0) == child ? 0 : -errno;
}

/*
 * SIGTERM and SIGINT unmount. Whoever has files open is given a moment after the mount has left the tree; then the
 * threads are told to end, and those files answer ENOTCONN.
 */
static void *wait_for_signal(void *arg)
{
	struct server *server = arg;
	sigset_t set;
	int signal_number;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	while (sigwait(&set, &signal_number) || signal_number == SIGHUP)
		;
	say(LFS_LOG_INFO, "%s: signal %d: unmounting %s", server->image, signal_number,
	    server->mountpoint);
	if (!unmount(server, 0))
		return NULL;
	unmount(server, MNT_DETACH);
	sigdelset(&set, SIGHUP);
	sigtimedwait(&set, NULL, &(struct timespec){ .tv_sec = BUSY_SECONDS });
	loop_abort();
	return NULL;
}

static void serve_until_unmounted(struct server *server)
{
	pthread_t signals;
	bool has_signals = !pthread_create(&signals, NULL, wait_for_signal, server);

	/* libfuse then finds the mount gone, and only forgets where it was. After an abort it would unmount again. */
	if (loop_join())
		fuse_session_unmount(server->session);
	if (has_signals) {
		pthread_cancel(signals);
		pthread_join(signals, NULL);
	}
}

static int run(struct server *server)
{
	int r = open_image(server);
	sigset_t blocked;

	if (r)
		return r;
	server->opt.writeback &= near_full_can_cache(server);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = mount_session(server);
	if (!r) {
		bdi_init(server);
		near_full_init(server);
		daemon_is_up();
		r = ticker_start(server);
		serve_until_unmounted(server);
		if (!r)
			ticker_stop();
		fuse_session_destroy(server->session);
	}
	close_image(server);
	return r;
}

int main(int argc, char **argv)
{
	struct command cmd = { .image = NULL };
	static struct server server;
	int r;

	parse(&cmd, argc, argv);
	r = options_parse(&server.opt, cmd.options);
	free(cmd.options);
	if (r)
		return EXIT_FAILURE;
	if (!server.opt.threads) {
		long processors = sysconf(_SC_NPROCESSORS_ONLN);

		server.opt.threads = processors < 2  ? 4 :
				     processors > 16 ? 32 :
						       2 * (unsigned)processors;
	}
	server.image = resolve(cmd.image);
	server.mountpoint = server.image ? resolve(cmd.dir) : NULL;
	if (!server.mountpoint || check_mountpoint(server.mountpoint))
		return EXIT_FAILURE;
	if (cmd.fake)
		return EXIT_SUCCESS;
	if (!cmd.foreground)
		daemon_start();
	r = run(&server);
	options_destroy(&server.opt);
	free(server.image);
	free(server.mountpoint);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
