/* track_gateway.c - one probe after the other, and a count of those without an answer. */
#include "hafailover/track/track_gateway.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"

enum { GATEWAY_MAGIC = 0x68676174, LOST_AFTER = 3 };

static const double EVERY_S = 0.25;
static const int64_t DEADLINE_NS = 200 * NS_PER_MS;

struct track_gateway {
	uint32_t magic;
	struct ev_loop *loop;
	struct neighbour_table *neighbours;
	struct address address;
	void (*changed)(void *owner);
	void *owner;
	ev_timer ask;
	struct probe *probe;
	unsigned missed; /* in a row */
	int64_t asked_ns, answered_ns; /* the question under way; the last that was answered */
	bool known, reachable;
};

static void
verdict_set(struct track_gateway *g, bool reachable, const char *why)
{
	char text[ADDRESS_TEXT_MAX];

	if (g->known && g->reachable == reachable)
		return;
	g->known = true;
	g->reachable = reachable;
	address_format_host(&g->address, text);
	if (reachable)
		log_info("gateway_answers", "address=%s", text);
	else
		log_warning(
		    "gateway_lost", "address=%s reason=%s", text, log_quoted(str_of(why)).text);
}

static void
on_answer(void *owner, const struct probe_result *answer)
{
	const struct probe_result r = *answer; /* it goes with the probe */
	struct track_gateway *g = owner;

	CHECK(g->magic == GATEWAY_MAGIC);
	probe_free(&g->probe);
	switch (r.verdict) {
	case PROBE_ANSWERS:
	case PROBE_SERVES:
		g->missed = 0;
		g->answered_ns = g->asked_ns;
		verdict_set(g, true, "");
		g->changed(g->owner);
		return;
	case PROBE_SILENT:
	case PROBE_FAILED:
		if (++g->missed < LOST_AFTER)
			return;
		verdict_set(g, false, r.reason);
		if (g->missed == LOST_AFTER)
			g->changed(g->owner);
		return;
	}
	CHECK_NEVER();
}

void
track_gateway_ask(struct track_gateway *g)
{
	const struct probe_question q = {
		.address = g->address,
		.service = PROBE_NEIGHBOUR,
		.deadline_ns = DEADLINE_NS,
	};

	if (g->probe)
		return;
	g->asked_ns = clock_ns();
	/* without memory the next turn tries again */
	g->probe = probe_start(g->loop, g->neighbours, &q, on_answer, g);
}

static void
on_ask(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct track_gateway *g = timer->data;

	(void)revents;
	CHECK(g->magic == GATEWAY_MAGIC && g->loop == loop);
	track_gateway_ask(g);
}

struct track_gateway *
track_gateway_start(struct ev_loop *loop, struct neighbour_table *neighbours,
    const struct address *address, void (*changed)(void *owner), void *owner)
{
	struct track_gateway *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	*g = (struct track_gateway){ .magic = GATEWAY_MAGIC,
		.loop = loop,
		.neighbours = neighbours,
		.address = *address,
		.changed = changed,
		.owner = owner };
	ev_timer_init(&g->ask, on_ask, 0., EVERY_S);
	g->ask.data = g;
	ev_timer_start(loop, &g->ask);
	return g;
}

void
track_gateway_stop(struct track_gateway **gp)
{
	struct track_gateway *g = *gp;

	*gp = NULL;
	if (!g)
		return;
	ev_timer_stop(g->loop, &g->ask);
	probe_free(&g->probe);
	g->magic = 0;
	free(g);
}

bool
track_gateway_known(const struct track_gateway *g)
{
	return g->known;
}

bool
track_gateway_reachable(const struct track_gateway *g)
{
	return g->reachable;
}

int64_t
track_gateway_asked_ns(const struct track_gateway *g)
{
	return g->answered_ns;
}

const struct address *
track_gateway_address(const struct track_gateway *g)
{
	return &g->address;
}
