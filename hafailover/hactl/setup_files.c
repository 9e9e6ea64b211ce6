/* setup_files.c - a hidden directory, link(2), and the way back. */
#include "hafailover/hactl/setup_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/file.h"

enum { FILE_MODE = 0640 };

struct path {
	char text[SETUP_PATH_MAX + 64];
};

static struct path
path_of(const char *directory, const char *name)
{
	struct path p;

	snprintf(p.text, sizeof(p.text), "%s/%s", directory, name);
	return p;
}

static void
remember(const char *names[SETUP_FILES_MAX + 1], const char *name)
{
	size_t n = 0;

	while (names[n])
		n++;
	CHECK(n < SETUP_FILES_MAX);
	names[n] = name;
}

int
setup_files_absent(const char *directory, const char *const names[], size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct path p = path_of(directory, names[i]);
		struct stat st;

		if (lstat(p.text, &st) == 0)
			return err_set(err, -EEXIST,
			    "%s is there already: nothing was changed; remove it, or edit it",
			    p.text);
		if (errno != ENOENT)
			return err_set(
			    err, -errno, "cannot look at %s: %s", p.text, strerror(errno));
	}
	return 0;
}

static void
signals_hold(sigset_t *before)
{
	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, before);
}

int
setup_files_open(struct setup_files *f, const char *directory, struct err *err)
{
	struct stat st;

	memset(f, 0, sizeof(*f));
	f->directory = directory;
	if (stat(directory, &st) < 0)
		return err_set(err, -errno, "cannot write to %s: %s", directory, strerror(errno));
	f->group = st.st_gid;
	if (snprintf(f->work, sizeof(f->work), "%s/.setup.XXXXXX", directory) >=
	    (int)sizeof(f->work))
		return err_set(err, -ENAMETOOLONG, "the name of the directory is too long");
	signals_hold(&f->signals);
	if (mkdtemp(f->work))
		return 0;
	f->work[0] = '\0';
	err_set(err, -errno, "cannot write to %s: %s", directory, strerror(errno));
	sigprocmask(SIG_SETMASK, &f->signals, NULL);
	return err->code;
}

/* -errno. */
static int
file_fill(const struct setup_files *f, int fd, struct str text)
{
	bool done = fchown(fd, (uid_t)-1, f->group) == 0 && fchmod(fd, FILE_MODE) == 0 &&
	    file_write(fd, text) && fsync(fd) == 0;

	return done ? 0 : -errno;
}

int
setup_files_write(struct setup_files *f, const char *name, struct str text, struct err *err)
{
	struct path p = path_of(f->work, name);
	int fd = open(p.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;

	if (fd < 0)
		return err_set(err, -errno, "cannot write %s: %s", p.text, strerror(errno));
	remember(f->written, name);
	rc = file_fill(f, fd, text);
	close(fd);
	return rc ? err_set(err, rc, "cannot write %s: %s", p.text, strerror(-rc)) : 0;
}

int
setup_files_place(struct setup_files *f, const char *name, struct err *err)
{
	struct path from = path_of(f->work, name), to = path_of(f->directory, name);

	if (link(from.text, to.text) < 0)
		return err_set(err, -errno, "cannot write %s: %s", to.text, strerror(errno));
	remember(f->placed, name);
	return 0;
}

static void
directory_sync(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

void
setup_files_close(struct setup_files *f, bool keep)
{
	if (!f->work[0])
		return;
	for (size_t i = 0; f->placed[i] && !keep; i++)
		unlink(path_of(f->directory, f->placed[i]).text);
	for (size_t i = 0; f->written[i]; i++)
		unlink(path_of(f->work, f->written[i]).text);
	rmdir(f->work);
	directory_sync(f->directory);
	sigprocmask(SIG_SETMASK, &f->signals, NULL);
}
