/* term.c - {"term":N,"standby":B}: written beside, synced, renamed; so it is the old or the new one. */
#include "hafailover/state/term.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "common/daemon_kinds.h"

enum { TERM_SIZE_MAX = 4096 };

static bool
parse(struct str text, struct term *t)
{
	json_t *o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *term = json_object_get(o, "term"), *standby = json_object_get(o, "standby");
	bool good =
	    json_is_integer(term) && json_integer_value(term) >= 0 && json_is_boolean(standby);

	if (good)
		*t = (struct term){ (uint64_t)json_integer_value(term), json_is_true(standby) };
	json_decref(o);
	return good;
}

int
term_read(const char *directory, struct term *t, struct err *err)
{
	char path[PATH_MAX], *text;
	size_t n;
	int code;

	*t = (struct term){ 0 };
	snprintf(path, sizeof(path), "%s/" TERM_FILE, directory);
	code = file_read(path, TERM_SIZE_MAX, &text, &n, err);
	if (code == -ENOENT)
		return 0;
	if (code)
		return code;
	if (!parse((struct str){ text, n }, t))
		code = err_set(err, -EINVAL, "%s is damaged: it starts anew at term 0", path);
	free(text);
	return code;
}

static int
write_synced(const char *path, const struct term *t, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	char text[80];
	int n = snprintf(text, sizeof(text), "{\"term\":%llu,\"standby\":%s}\n",
	    (unsigned long long)t->term, t->standby ? "true" : "false");
	ssize_t written;

	if (fd < 0)
		return err_set(err, -errno, "cannot create %s: %s", path, strerror(errno));
	errno = ENOSPC; /* if it is written in part */
	written = write(fd, text, (size_t)n);
	if (written == n && fsync(fd) == 0 && close(fd) == 0)
		return 0;
	err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
	if (written != n)
		close(fd);
	return err->code;
}

/* So that the new name is there after a power cut. */
static int
directory_sync(const char *directory, struct err *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = 0;

	if (fd < 0 || fsync(fd) < 0)
		code = err_set(err, -errno, "cannot sync %s: %s", directory, strerror(errno));
	if (fd >= 0)
		close(fd);
	return code;
}

int
term_write(const char *directory, const struct term *t, struct err *err)
{
	char path[PATH_MAX], beside[PATH_MAX];
	int code;

	snprintf(path, sizeof(path), "%s/" TERM_FILE, directory);
	snprintf(beside, sizeof(beside), "%s/" TERM_FILE ".new", directory);
	code = write_synced(beside, t, err);
	if (code)
		return code;
	if (rename(beside, path) < 0)
		return err_set(err, -errno, "cannot rename %s: %s", beside, strerror(errno));
	return directory_sync(directory, err);
}
