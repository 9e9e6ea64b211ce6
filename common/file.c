/* file.c - a buffer that doubles; write, fsync, rename, fsync. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
read_all(int fd, const char *file, size_t max, char **text, size_t *n, struct err *err)
{
	size_t size = 4096;
	ssize_t got = 1;
	char *grown;

	for (*n = 0; got > 0; *n += (size_t)got) {
		if (*n > max)
			return err_set(err, -EFBIG, "%s is larger than %zu bytes", file, max);
		size = *n == size || !*text ? size * 2 : size;
		grown = realloc(*text, size);
		if (!grown)
			return err_set(err, -ENOMEM, "out of memory for %s", file);
		*text = grown;
		got = read(fd, *text + *n, size - *n);
		if (got < 0)
			return err_set(err, -errno, "cannot read %s: %s", file, strerror(errno));
	}
	return 0;
}

int
file_read(const char *file, size_t max, char **text, size_t *n, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	int rc;

	*text = NULL;
	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s", file, strerror(errno));
	rc = read_all(fd, file, max, text, n, err);
	close(fd);
	if (rc < 0) {
		free(*text);
		*text = NULL;
	}
	return rc;
}

bool
file_write(int fd, struct str s)
{
	ssize_t n;

	while (s.n) {
		n = write(fd, s.p, s.n);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			s = str_skip(s, (size_t)n);
	}
	return true;
}

static int
write_synced(const char *file, struct str content, struct err *err)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	int code = 0;

	if (fd < 0)
		return err_set(err, -errno, "cannot create %s: %s", file, strerror(errno));
	if (!file_write(fd, content) || fsync(fd) < 0)
		code = err_set(err, -errno, "cannot write %s: %s", file, strerror(errno));
	if (close(fd) < 0 && !code)
		code = err_set(err, -errno, "cannot write %s: %s", file, strerror(errno));
	return code;
}

/* So that the new name is there after a power cut. */
static int
directory_sync(const char *file, struct err *err)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(file, '/');
	int fd, code = 0;

	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - file + 1) : 1,
	    slash ? file : ".");
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		code = err_set(err, -errno, "cannot sync %s: %s", directory, strerror(errno));
	if (fd >= 0)
		close(fd);
	return code;
}

int
file_replace(const char *file, struct str content, struct err *err)
{
	char beside[PATH_MAX];
	int code;

	if (snprintf(beside, sizeof(beside), "%s.new", file) >= (int)sizeof(beside))
		return err_set(
		    err, -ENAMETOOLONG, "cannot create %s.new: the path is too long", file);
	code = write_synced(beside, content, err);
	if (code)
		return code;
	if (rename(beside, file) < 0)
		return err_set(err, -errno, "cannot rename %s: %s", beside, strerror(errno));
	return directory_sync(file, err);
}
