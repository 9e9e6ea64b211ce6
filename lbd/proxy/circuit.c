/* circuit.c - tells breakers, and everybody what came of it. */
#include "lbd/proxy/circuit.h"

#include "common/clock.h"
#include "common/log.h"

static struct breaker *
breaker_of(const struct worker *w, const struct server_config *s)
{
	return &w->servers->load[s->slot].breaker;
}

static struct breaker_room
room_of(const struct worker *w, const struct pool_config *p)
{
	return (struct breaker_room){ &w->servers->pools[p->id].ejected,
		p->n_servers * p->breaker.max_ejected_percent / 100 };
}

static void
circuit_opened(struct worker *w, const struct pool_config *p, const struct server_config *s,
    const struct breaker_opening *o)
{
	server_circuit_turned(w->servers, s->slot, w->now, clock_wall_ns());
	log_warning("server_circuit_opened", "pool=%s server=%s reason=%s for_ms=%lld",
	    log_quoted(p->name).text, log_quoted(s->name).text, breaker_reason_name(o->reason),
	    (long long)(o->for_ns / NS_PER_MS));
}

static void
circuit_closed(struct worker *w, const struct pool_config *p, const struct server_config *s)
{
	server_circuit_turned(w->servers, s->slot, w->now, clock_wall_ns());
	log_notice("server_circuit_closed", "pool=%s server=%s", log_quoted(p->name).text,
	    log_quoted(s->name).text);
}

static void
tell(struct worker *w, const struct pool_config *p, const struct server_config *s, uint64_t probe,
    enum circuit_result result)
{
	struct breaker *b = breaker_of(w, s);
	struct breaker_opening o;

	switch (result) {
	case CIRCUIT_GOOD:
		if (breaker_succeeded(b, &p->breaker, probe, w->now))
			circuit_closed(w, p, s);
		break;
	case CIRCUIT_BAD:
		if (breaker_failed(b, &p->breaker, room_of(w, p), probe, w->now, &o))
			circuit_opened(w, p, s, &o);
		break;
	case CIRCUIT_BROKEN:
		if (breaker_revoked(b, &p->breaker, room_of(w, p), w->now, &o))
			circuit_opened(w, p, s, &o);
		break;
	}
}

void
circuit_tell(struct worker *w, const struct pool *p, const struct server_config *s, uint64_t *probe,
    enum circuit_result result)
{
	if (p->snapshot != w->snapshot) {
		circuit_forgo(w, s, probe);
		return;
	}
	tell(w, p->conf, s, *probe, result);
	*probe = 0;
}

int
circuit_choose(struct worker *w, struct pool *p, bool repeatable, uint64_t *probe)
{
	int index = balancer_suspect(p->balancer);
	const struct server_config *s;

	if (index < 0)
		return -1;
	s = &p->conf->servers[index];
	*probe = breaker_probe(breaker_of(w, s), &p->conf->breaker, repeatable, w->now);
	return *probe ? index : -1;
}

void
circuit_forgo(struct worker *w, const struct server_config *s, uint64_t *probe)
{
	if (*probe)
		breaker_return(breaker_of(w, s), *probe);
	*probe = 0;
}
