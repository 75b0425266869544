/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "new_file.h"

#include "say.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the bytes of @path will be: behind symbolic links, so that these survive. */
static char *final_path(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : strdup(path);
}

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
		return complain(
			"%s: cannot write: expected a regular file or a new name, found a %s", path,
			S_ISDIR(st.st_mode) ? "directory" : "special file");
	nf->path = final_path(path);
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
		return 0;
	}
	if (fflush(nf->out) || ferror(nf->out) || fsync(fileno(nf->out)))
		err = errno;
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
