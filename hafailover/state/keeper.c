/*
 * keeper.c - one thread, one mutex, held only to copy.
 *
 * The history is cut to its newer half when it has grown to twice what is ever read.
 */
#include "hafailover/state/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "hafailover/state/history.h"

enum {
	PENDING_MAX = 64 * HISTORY_LINE_MAX,
	KEPT = HISTORY_MAX * HISTORY_LINE_MAX,
};

/* What is to be written; copied out under the mutex. */
struct work {
	bool has_term;
	struct term term;
	char lines[PENDING_MAX];
	size_t n;
};

struct keeper {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	char directory[PATH_MAX];
	struct work pending;
	bool stop;
	bool failed; /* of the thread: the last write did */
};

static void
outcome(struct keeper *k, int code, const struct err *err)
{
	if (code && !k->failed)
		log_err("state_not_saved", "reason=%s", log_quoted(str_of(err->text)).text);
	else if (!code && k->failed)
		log_notice("state_saved", "directory=%s", log_quoted(str_of(k->directory)).text);
	k->failed = code != 0;
}

/* Only whole lines stay. */
static int
history_cut(const char *path, struct err *err)
{
	char *text, beside[PATH_MAX + 80];
	const char *start;
	size_t n, skip;
	FILE *f;
	int code = file_read(path, 8 * KEPT, &text, &n, err);

	if (code)
		return code == -EFBIG ? truncate(path, 0) : code;
	skip = n > KEPT ? n - KEPT : 0;
	start = memchr(text + skip, '\n', n - skip);
	start = start ? start + 1 : text + n;
	snprintf(beside, sizeof(beside), "%s.new", path);
	f = fopen(beside, "we");
	if (!f || fwrite(start, 1, n - (size_t)(start - text), f) != n - (size_t)(start - text))
		code = err_set(err, -errno, "cannot write %s: %s", beside, strerror(errno));
	if (f && fclose(f) != 0 && !code)
		code = err_set(err, -errno, "cannot write %s: %s", beside, strerror(errno));
	if (!code && rename(beside, path) < 0)
		code = err_set(err, -errno, "cannot rename %s: %s", beside, strerror(errno));
	free(text);
	return code;
}

static int
history_append(const struct keeper *k, const struct work *w, struct err *err)
{
	char path[PATH_MAX + 64];
	struct stat st;
	ssize_t n;
	int fd, code = 0;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, k->directory);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
	errno = ENOSPC;
	n = write(fd, w->lines, w->n);
	if (n != (ssize_t)w->n)
		code = err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
	if (!code && fstat(fd, &st) == 0 && st.st_size > 2 * KEPT)
		code = history_cut(path, err);
	close(fd);
	return code;
}

static void
work_do(struct keeper *k, const struct work *w)
{
	struct err err;
	int code = 0;

	if (w->has_term)
		code = term_write(k->directory, &w->term, &err);
	if (!code && w->n)
		code = history_append(k, w, &err);
	outcome(k, code, &err);
}

/* False: stopped, and nothing is left. */
static bool
work_take(struct keeper *k, struct work *w)
{
	bool some;

	pthread_mutex_lock(&k->mutex);
	while (!k->stop && !k->pending.has_term && !k->pending.n)
		pthread_cond_wait(&k->more, &k->mutex);
	some = k->pending.has_term || k->pending.n;
	*w = k->pending;
	k->pending.has_term = false;
	k->pending.n = 0;
	pthread_mutex_unlock(&k->mutex);
	return some;
}

static void *
keeper_main(void *arg)
{
	struct keeper *k = arg;
	struct work *w = malloc(sizeof(*w));

	if (!w) {
		log_err("state_not_saved", "reason=\"out of memory\"");
		return NULL;
	}
	while (work_take(k, w))
		work_do(k, w);
	free(w);
	return NULL;
}

void
keeper_term(struct keeper *k, const struct term *t)
{
	pthread_mutex_lock(&k->mutex);
	k->pending.has_term = true;
	k->pending.term = *t;
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->mutex);
}

void
keeper_history(struct keeper *k, struct str line)
{
	pthread_mutex_lock(&k->mutex);
	if (k->pending.n + line.n <= PENDING_MAX) {
		memcpy(k->pending.lines + k->pending.n, line.p, line.n);
		k->pending.n += line.n;
	}
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->mutex);
}

/* The loop runs with real-time priority: whoever it waits for must, too. */
static void
mutex_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

/* The thread inherits the mask: signals are the loop's. */
static int
thread_start(struct keeper *k)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&k->thread, NULL, keeper_main, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

struct keeper *
keeper_start(const char *directory, struct err *err)
{
	struct keeper *k = calloc(1, sizeof(*k));
	int code;

	if (!k) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	snprintf(k->directory, sizeof(k->directory), "%s", directory);
	mutex_init(&k->mutex);
	pthread_cond_init(&k->more, NULL);
	code = thread_start(k);
	if (code == 0)
		return k;
	err_set(err, -code, "no thread to save the state: %s", strerror(code));
	free(k);
	return NULL;
}

void
keeper_stop(struct keeper **kp)
{
	struct keeper *k = *kp;

	*kp = NULL;
	if (!k)
		return;
	pthread_mutex_lock(&k->mutex);
	k->stop = true;
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->mutex);
	pthread_join(k->thread, NULL);
	pthread_mutex_destroy(&k->mutex);
	pthread_cond_destroy(&k->more);
	free(k);
}
