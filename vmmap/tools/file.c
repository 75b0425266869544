/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Files out: a file gets its name when it is complete, so that nobody ever sees half of it.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_temporary(struct new_file *nf)
{
	size_t room = strlen(nf->path) + sizeof(".XXXXXX");
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	nf->temporary = malloc(room);
	if (!nf->temporary)
		return no_memory();
	snprintf(nf->temporary, room, "%s.XXXXXX", nf->path);
	fd = mkstemp(nf->temporary);
	if (fd < 0) {
		free(nf->temporary);
		nf->temporary = NULL;
		return complain("%s: cannot create: %s", nf->path, strerror(errno));
	}
	nf->out = fdopen(fd, "w");
	if (!nf->out) {
		close(fd);
		return no_memory();
	}
	/* mkstemp() makes files for the owner only. A failure leaves it so, which harms nobody. */
	(void)!fchmod(fd, 0666 & ~mask);
	return 0;
}

int new_file_open(struct new_file *nf, const char *path)
{
	struct stat st;
	int status;

	*nf = (struct new_file){ 0 };
	if (!path || strcmp(path, "-") == 0) {
		nf->out = stdout;
		return 0;
	}
	/* A rename would replace a device, too. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return complain("%s: cannot write: expected a regular file or a new name", path);
	nf->path = realpath(path, NULL); /* behind symbolic links, so that these survive */
	if (!nf->path)
		nf->path = strdup(path);
	if (!nf->path)
		return no_memory();
	status = open_temporary(nf);
	if (status)
		new_file_abort(nf);
	return status;
}

int new_file_commit(struct new_file *nf)
{
	int err = 0;

	if (!nf->path) {
		nf->out = NULL;
		return 0; /* main() flushes stdout, and says so if it cannot */
	}
	if (fflush(nf->out) || ferror(nf->out))
		err = errno ? errno : EIO;
	if (fclose(nf->out) && !err)
		err = errno;
	nf->out = NULL;
	/* From here the new contents have the name; before, the old ones. */
	if (!err && rename(nf->temporary, nf->path))
		err = errno;
	if (err)
		complain("%s: cannot write: %s", nf->path, strerror(err));
	else
		nf->temporary[0] = 0;
	new_file_abort(nf);
	return err ? STATUS_WRONG : 0;
}

void new_file_abort(struct new_file *nf)
{
	if (nf->out && nf->path)
		fclose(nf->out);
	if (nf->temporary && nf->temporary[0])
		unlink(nf->temporary);
	free(nf->temporary);
	free(nf->path);
	*nf = (struct new_file){ 0 };
}
