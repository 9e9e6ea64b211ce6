/* names_file.c - one thread, started with the first text; one mutex, held only to hand over. */
#include "lbd/resolve/names_file.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "common/file.h"
#include "common/log.h"

enum { NAMES_FILE_MAX = 8 << 20, PAUSE_S = 10 };

#define FIRST_LINE "lbd-names 1\n"

/* One allocation: where, a NUL, and what. */
struct job {
	struct str text; /* with the first line */
	char file[];
};

struct names_file {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	struct job *pending; /* NULL: nothing */
	bool running, stop;
	struct job *done; /* written last; the thread's */
	bool failed; /* the last write did; the thread's */
};

/* --- reading --- */

int
names_file_read(const char *file, char **text, size_t *n, struct err *err)
{
	const struct str first = STR(FIRST_LINE);
	struct stat st;
	int code;

	*text = NULL;
	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) /* a FIFO would be waited for */
		return err_set(err, -EINVAL, "%s is not a file", file);
	code = file_read(file, NAMES_FILE_MAX, text, n, err);
	if (code)
		return code;
	if (!str_starts((struct str){ *text, *n }, first)) {
		free(*text);
		*text = NULL;
		return err_set(
		    err, -EINVAL, "%s is not of this lbd: nothing is taken from it", file);
	}
	*n -= first.n;
	memmove(*text, *text + first.n, *n);
	return 0;
}

/* --- writing --- */

/* NULL: out of memory. */
static struct job *
job_new(struct str file, struct str text)
{
	const struct str first = STR(FIRST_LINE);
	struct job *j = malloc(sizeof(*j) + file.n + 1 + first.n + text.n);
	char *p;

	if (!j)
		return NULL;
	memcpy(j->file, file.p, file.n);
	j->file[file.n] = '\0';
	p = j->file + file.n + 1;
	j->text = (struct str){ p, first.n + text.n };
	memcpy(p, first.p, first.n);
	if (text.n)
		memcpy(p + first.n, text.p, text.n);
	return j;
}

static bool
is_done(const struct names_file *f, const struct job *j)
{
	return !f->failed && f->done && strcmp(f->done->file, j->file) == 0 &&
	    str_eq(f->done->text, j->text);
}

/* False: there was nothing to do. */
static bool
job_do(struct names_file *f, const struct job *j)
{
	struct err err;
	int code;

	if (is_done(f, j))
		return false;
	code = file_replace(j->file, j->text, &err);
	if (code && !f->failed)
		log_warning("names_not_saved", "reason=%s", log_quoted(str_of(err.text)).text);
	else if (!code && f->failed)
		log_notice("names_saved", "file=%s", log_quoted(str_of(j->file)).text);
	f->failed = code != 0;
	return true;
}

/* Takes what there is to write; NULL: stopped, and nothing is left. */
static struct job *
job_take(struct names_file *f)
{
	struct job *j;

	pthread_mutex_lock(&f->mutex);
	while (!f->stop && !f->pending)
		pthread_cond_wait(&f->more, &f->mutex);
	j = f->pending;
	f->pending = NULL;
	pthread_mutex_unlock(&f->mutex);
	return j;
}

/* Until it is not too soon for the next, or the end has come. */
static void
rest(struct names_file *f)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PAUSE_S;
	pthread_mutex_lock(&f->mutex);
	while (!f->stop && pthread_cond_timedwait(&f->more, &f->mutex, &until) == 0)
		;
	pthread_mutex_unlock(&f->mutex);
}

static void *
thread_main(void *arg)
{
	struct names_file *f = arg;
	struct job *j;

	while ((j = job_take(f))) {
		bool wrote = job_do(f, j);

		free(f->done);
		f->done = j;
		if (wrote)
			rest(f);
	}
	return NULL;
}

/* --- the main thread's side --- */

struct names_file *
names_file_new(void)
{
	struct names_file *f = calloc(1, sizeof(*f));
	pthread_condattr_t attributes;

	if (!f)
		return NULL;
	pthread_mutex_init(&f->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&f->more, &attributes);
	pthread_condattr_destroy(&attributes);
	return f;
}

/* Signals are the main thread's. */
static int
thread_start(struct names_file *f)
{
	sigset_t all, before;
	int code;

	if (f->running)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&f->thread, NULL, thread_main, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	f->running = code == 0;
	return code;
}

void
names_file_keep(struct names_file *f, struct str file, struct str text)
{
	bool fits = sizeof(FIRST_LINE) - 1 + text.n <= NAMES_FILE_MAX;
	struct job *j = fits ? job_new(file, text) : NULL;

	if (!j || thread_start(f) != 0) {
		log_err(
		    "names_not_saved", "reason=\"%s\"", fits ? "out of memory" : "too many names");
		free(j);
		return;
	}
	pthread_mutex_lock(&f->mutex);
	free(f->pending);
	f->pending = j;
	pthread_cond_signal(&f->more);
	pthread_mutex_unlock(&f->mutex);
}

void
names_file_free(struct names_file **fp)
{
	struct names_file *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	if (f->running) {
		pthread_mutex_lock(&f->mutex);
		f->stop = true;
		pthread_cond_signal(&f->more);
		pthread_mutex_unlock(&f->mutex);
		pthread_join(f->thread, NULL);
	}
	pthread_mutex_destroy(&f->mutex);
	pthread_cond_destroy(&f->more);
	free(f->pending);
	free(f->done);
	free(f);
}
