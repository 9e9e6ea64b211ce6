/* follow.c - a stream that is begun again when it ends. */
#include "hafailover/hactl/follow.h"

#include <errno.h>
#include <poll.h>

#include "common/clock.h"

static const int64_t RETRY_NS = 500 * NS_PER_MS;

/* said.why says why; the next try comes a little later. */
static void
fail(struct follow *f, enum daemon_result result, int64_t now)
{
	daemon_close(f->daemon);
	answer_fini(&f->said.answer);
	f->said.result = result;
	f->asked = false;
	f->again_ns = now + RETRY_NS;
}

static void
begin(struct follow *f, int64_t now)
{
	enum daemon_result result;

	if (now < f->again_ns)
		return;
	result = daemon_send(f->daemon, f->request, &f->said.why);
	if (result != DAEMON_OK) {
		fail(f, result, now);
		return;
	}
	f->asked = true;
	f->heard_ns = now;
}

static void
hear(struct follow *f, int64_t now)
{
	struct answer answer;
	enum daemon_result result = daemon_hear(f->daemon, &answer, &f->said.why);

	if (result != DAEMON_OK) {
		fail(f, result, now);
	} else if (answer.json) {
		answer_fini(&f->said.answer);
		f->said.answer = answer;
		f->said.result = DAEMON_OK;
		f->heard_ns = now;
	} else if (now - f->heard_ns >= f->daemon->timeout_ns) {
		err_set(&f->said.why, -ETIMEDOUT, "%s at %s: the daemon did not answer in time",
		    f->daemon->name, f->daemon->path);
		fail(f, DAEMON_UNREACHABLE, now);
	}
}

bool
follow_step(struct follow *f, int64_t now)
{
	if (!f->asked)
		begin(f, now);
	if (f->asked)
		hear(f, now);
	return f->said.answer.json || f->said.result != DAEMON_OK;
}

int64_t
follow_due_ns(const struct follow *f)
{
	return f->asked ? f->heard_ns + f->daemon->timeout_ns : f->again_ns;
}

void
follow_sleep(const struct follow *f)
{
	struct pollfd p = { .fd = daemon_fd(f->daemon), .events = POLLIN };
	int64_t left = follow_due_ns(f) - clock_ns();

	poll(&p, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
}

void
follow_end(struct follow *f)
{
	answer_fini(&f->said.answer);
	daemon_close(f->daemon);
}
