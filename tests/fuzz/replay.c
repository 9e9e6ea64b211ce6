/*
 * replay.c - gives files, and all files in directories, to a fuzz harness: with any compiler, without
 * libFuzzer.  What it names is what it could not read.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 };

static int
replay_file(const char *path)
{
	static uint8_t room[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	uint8_t *exact;
	size_t n;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	n = fread(room, 1, sizeof(room), file);
	fclose(file);
	exact = malloc(n ? n : 1);
	if (!exact)
		abort();
	memcpy(exact, room, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

/* The number of files that could not be read; *files counts the others. */
static int
replay(const char *path, unsigned *files)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int failed = 0;

	if (!dir) {
		if (replay_file(path))
			return 1;
		++*files;
		return 0;
	}
	while ((entry = readdir(dir))) {
		char inside[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
		failed += replay(inside, files);
	}
	closedir(dir);
	return failed;
}

int
main(int argc, char **argv)
{
	unsigned files = 0;
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed += replay(argv[i], &files);
	printf("%u inputs replayed\n", files);
	return failed || files == 0;
}
