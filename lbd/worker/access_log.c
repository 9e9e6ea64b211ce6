/*
 * access_log.c - the log thread: drains the rings, formats, hands lines to the sink.
 *
 * The thread is awake, or batching (it has just written; more will come, and it waits a few
 * milliseconds for a worthwhile piece), or asleep.  A worker wakes it from sleep with the first
 * record, and from batching when its ring is half full; so under load workers make no system
 * call.  Both sides use sequentially consistent operations for "I have put something; do you
 * sleep?" against "I sleep; have you put something?": one of them sees the other.
 */
#include "lbd/worker/access_log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/worker/access_log_ring.h"
#include "lbd/worker/access_log_sink.h"

enum { BATCH_MS = 5, STUCK_MS = 1000 };

enum thread_state { AWAKE, BATCHING, ASLEEP };

struct target {
	enum access_log_sink type;
	enum access_log_format format;
	int fd;
};

struct access_log {
	struct access_ring *rings;
	unsigned n_rings;
	pthread_t thread;
	int wake_fd;
	_Atomic unsigned state; /* enum thread_state */
	_Atomic bool on; /* records are wanted */
	_Atomic bool stopping, posted;
	pthread_mutex_t lock; /* of next, bounds; the main thread and the log thread */
	struct target next; /* valid while posted */
	size_t *bounds; /* where each ring ended then: the rest is for the next target */
	/* the thread's own */
	struct access_sink sink;
	enum access_log_format format;
	int64_t stuck_until_ns; /* someone waits for a sink that takes nothing; 0: no */
};

static void
wake(struct access_log *log)
{
	const uint64_t one = 1;

	/* fails only when the counter is full, and then the thread is being woken anyway */
	(void)!write(log->wake_fd, &one, sizeof(one));
}

void
access_log_put(struct access_log *log, unsigned ring, const struct access_record *record)
{
	CHECK(ring < log->n_rings);
	if (atomic_load_explicit(&log->on, memory_order_relaxed))
		access_ring_put(&log->rings[ring], record);
}

void
access_log_kick(struct access_log *log, unsigned ring)
{
	struct access_ring *r = &log->rings[ring];
	unsigned state;

	if (!access_ring_publish(r))
		return;
	state = atomic_load(&log->state);
	if (state == ASLEEP || (state == BATCHING && access_ring_half_full(r)))
		if (atomic_exchange(&log->state, AWAKE) != AWAKE)
			wake(log);
}

/* False: the sink takes no more now. */
static bool
drain_ring(struct access_log *log, struct access_ring *r, size_t end, bool *any)
{
	const struct access_record *record;
	char *line;

	while ((record = access_ring_first(r, end))) {
		line = access_sink_room(&log->sink);
		if (!line) {
			if (!access_sink_flush(&log->sink))
				return false;
			continue;
		}
		access_sink_commit(&log->sink, access_log_format(record, log->format, line));
		access_ring_pop(r);
		*any = true;
	}
	return true;
}

/*
 * Where to stop: what was put after a new target was posted is for that one.  If none was when the end had
 * been read, all before that end is for the present one.
 */
static size_t
drain_end(struct access_log *log, unsigned ring)
{
	size_t end = access_ring_end(&log->rings[ring]);

	if (!atomic_load(&log->posted))
		return end;
	pthread_mutex_lock(&log->lock);
	end = log->bounds[ring];
	pthread_mutex_unlock(&log->lock);
	return end;
}

/* What the rings hold for the present target. */
static bool
drain(struct access_log *log, bool *any)
{
	for (unsigned i = 0; i < log->n_rings; i++)
		if (!drain_ring(log, &log->rings[i], drain_end(log, i), any))
			return false;
	return access_sink_flush(&log->sink);
}

static void
adopt_target(struct access_log *log)
{
	struct target next;

	pthread_mutex_lock(&log->lock);
	next = log->next;
	atomic_store(&log->posted, false);
	pthread_mutex_unlock(&log->lock);
	access_sink_use(&log->sink, next.type, next.fd);
	log->format = next.fd < 0 ? ACCESS_LOG_OFF : next.format;
}

static void
wait_for(struct access_log *log, bool sink, int timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = log->wake_fd, .events = POLLIN },
		{ .fd = sink ? log->sink.fd : -1, .events = POLLOUT },
	};
	uint64_t n;

	if (poll(fds, 2, timeout_ms) > 0 && fds[0].revents)
		(void)!read(log->wake_fd, &n, sizeof(n));
	atomic_store(&log->state, AWAKE);
}

/* Nobody waits for a sink that takes nothing for longer than STUCK_MS. */
static void
wait_for_sink(struct access_log *log, bool wanted)
{
	int64_t now = clock_ns();

	if (!wanted) {
		wait_for(log, true, -1);
		return;
	}
	if (!log->stuck_until_ns)
		log->stuck_until_ns = now + STUCK_MS * NS_PER_MS;
	if (now >= log->stuck_until_ns)
		access_sink_give_up(&log->sink);
	else
		wait_for(log, true, (int)((log->stuck_until_ns - now) / NS_PER_MS) + 1);
}

static bool
rings_empty(const struct access_log *log)
{
	for (unsigned i = 0; i < log->n_rings; i++)
		if (!access_ring_empty(&log->rings[i]))
			return false;
	return true;
}

static void
wait_for_records(struct access_log *log, bool batch)
{
	atomic_store(&log->state, batch ? BATCHING : ASLEEP);
	if (batch)
		wait_for(log, false, BATCH_MS);
	else if (rings_empty(log) && !atomic_load(&log->posted) && !atomic_load(&log->stopping))
		wait_for(log, false, -1);
	else
		atomic_store(&log->state, AWAKE);
}

static void *
log_thread(void *arg)
{
	struct access_log *log = arg;
	bool stopping, posted, any;

	for (;;) {
		/* read first: what was put before them is then drained before they are obeyed */
		stopping = atomic_load(&log->stopping);
		posted = atomic_load(&log->posted);
		any = false;
		if (posted && log->format == ACCESS_LOG_OFF) {
			adopt_target(log); /* what is in the rings is for this one */
			continue;
		}
		if (!drain(log, &any)) {
			wait_for_sink(log, stopping || posted);
			continue;
		}
		log->stuck_until_ns = 0;
		if (posted)
			adopt_target(log);
		else if (stopping)
			return NULL;
		else
			wait_for_records(log, any);
	}
}

static int
thread_start(struct access_log *log)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* a closed pipe is EPIPE, not SIGPIPE */
	code = pthread_create(&log->thread, NULL, log_thread, log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -code;
}

static void
log_free(struct access_log *log)
{
	for (unsigned i = 0; i < log->n_rings; i++)
		access_ring_fini(&log->rings[i]);
	if (log->wake_fd >= 0)
		close(log->wake_fd);
	access_sink_fini(&log->sink);
	pthread_mutex_destroy(&log->lock);
	free(log->rings);
	free(log->bounds);
	free(log);
}

/* All but the thread.  0 or -errno. */
static int
log_init_parts(struct access_log *log, const struct access_log_options *options)
{
	log->rings = aligned_alloc(_Alignof(struct access_ring),
	    (options->rings ? options->rings : 1) * sizeof(*log->rings));
	log->bounds = calloc(options->rings ? options->rings : 1, sizeof(*log->bounds));
	if (!log->rings || !log->bounds || access_sink_init(&log->sink) < 0)
		return -ENOMEM;
	for (; log->n_rings < options->rings; log->n_rings++)
		if (access_ring_init(&log->rings[log->n_rings], options->ring_size) < 0)
			return -ENOMEM;
	log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return log->wake_fd < 0 ? -errno : 0;
}

struct access_log *
access_log_start(const struct access_log_options *options, struct err *err)
{
	struct access_log *log = calloc(1, sizeof(*log));
	int code = -ENOMEM;

	if (log) {
		log->wake_fd = -1;
		log->sink.fd = -1;
		pthread_mutex_init(&log->lock, NULL);
		code = log_init_parts(log, options);
		if (code == 0)
			code = thread_start(log);
		if (code == 0)
			return log;
		log_free(log);
	}
	err_set(err, code, "cannot start the access log: %s", strerror(-code));
	return NULL;
}

void
access_log_target(
    struct access_log *log, enum access_log_sink type, int fd, enum access_log_format format)
{
	int unseen = -1;

	if (fd < 0 && type != ACCESS_LOG_FD && format != ACCESS_LOG_OFF)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	pthread_mutex_lock(&log->lock);
	if (atomic_load(&log->posted))
		unseen = log->next.fd;
	log->next = (struct target){ type, format, fd };
	for (unsigned i = 0; i < log->n_rings; i++)
		log->bounds[i] = access_ring_end(&log->rings[i]);
	atomic_store(&log->posted, true);
	pthread_mutex_unlock(&log->lock);
	if (unseen >= 0)
		close(unseen);
	atomic_store_explicit(&log->on, fd >= 0 && format != ACCESS_LOG_OFF, memory_order_relaxed);
	wake(log);
}

void
access_log_stop(struct access_log **logp)
{
	struct access_log *log = *logp;

	*logp = NULL;
	if (!log)
		return;
	atomic_store(&log->stopping, true);
	wake(log);
	pthread_join(log->thread, NULL);
	log_free(log);
}

uint64_t
access_log_dropped(const struct access_log *log)
{
	uint64_t n = counter_get(&log->sink.dropped);

	for (unsigned i = 0; i < log->n_rings; i++)
		n += counter_get(&log->rings[i].dropped);
	return n;
}

uint64_t
access_log_written(const struct access_log *log)
{
	return counter_get(&log->sink.written);
}
