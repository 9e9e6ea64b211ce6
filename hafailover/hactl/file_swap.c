/* file_swap.c - a new file beside the old one, then rename(2). */
#include "hafailover/hactl/file_swap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"

enum { FILE_MAX = 1 << 20 };

/* Mode last: chown may clear bits of it. */
static bool
fill(int fd, const struct stat *like, struct str content)
{
	return file_write(fd, content) && fchown(fd, like->st_uid, like->st_gid) == 0 &&
	    fchmod(fd, like->st_mode & 07777) == 0 && fsync(fd) == 0;
}

static int
content_put(const char *path, struct str content, struct err *err)
{
	char beside[PATH_MAX + 8];
	struct stat like;
	bool done;
	int fd, code;

	if (stat(path, &like) < 0)
		return err_set(err, -errno, "cannot look at %s: %s", path, strerror(errno));
	snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot write beside %s: %s", path, strerror(errno));
	done = fill(fd, &like, content) && rename(beside, path) == 0;
	code = done ? 0 : err_set(err, -errno, "cannot replace %s: %s", path, strerror(errno));
	if (!done)
		unlink(beside);
	close(fd);
	return code;
}

int
file_swap(struct file_swap *f, const char *path, struct str content, struct err *err)
{
	int code;

	*f = (struct file_swap){ .before = NULL };
	if (!realpath(path, f->path))
		return err_set(err, -errno, "cannot find %s: %s", path, strerror(errno));
	code = file_read(f->path, FILE_MAX, &f->before, &f->before_n, err);
	if (!code)
		code = content_put(f->path, content, err);
	if (code)
		file_swap_fini(f);
	return code;
}

int
file_swap_back(const struct file_swap *f, struct err *err)
{
	return content_put(f->path, (struct str){ f->before, f->before_n }, err);
}

void
file_swap_fini(struct file_swap *f)
{
	if (f->before)
		explicit_bzero(f->before, f->before_n);
	free(f->before);
	f->before = NULL;
}
