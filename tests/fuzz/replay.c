/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * main() for fuzz targets that are built without libFuzzer: runs every file named on the command
 * line, and every file in every folder named there. A crash names its file in the last line.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t size;

	if (!file || fstat(fileno(file), &st)) {
		perror(path);
		return 1;
	}
	size = (size_t)st.st_size;
	data = malloc(size); /* exactly so long, so that ASan sees an over-read of one byte */
	if ((!data && size) || fread(data, 1, size, file) != size) {
		perror(path);
		return 1;
	}
	fclose(file);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay(const char *path)
{
	struct dirent **entries;
	struct stat st;
	int i, n, failed = 0;

	if (stat(path, &st)) {
		perror(path);
		return 1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path);
	n = scandir(path, &entries, is_visible, alphasort);
	for (i = 0; i < n; i++) {
		char child[4096];

		snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
		failed |= replay(child);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return failed;
}

int main(int argc, char **argv)
{
	int i, failed = 0;

	for (i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	return failed;
}
