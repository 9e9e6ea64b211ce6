/* witness_table.c - the order of checks: pair, seal, session, number; then witness_rule.c decides. */
#include "hafailover/peer/witness_table.h"

#include <stdlib.h>

#include "common/check.h"

const char *
witness_result_name(enum witness_result r)
{
	static const char *const names[WITNESS_RESULTS] = { "answered", "challenged", "old",
		"stranger", "unknown", "forged", "other_version", "malformed" };

	return names[r];
}

/* --- pairs --- */

void
witness_pair_init(struct witness_pair *p, const char *name, const struct witness_key *key,
    int64_t longest_ns, int64_t now)
{
	memset(p, 0, sizeof(*p));
	memcpy(p->name, name, strnlen(name, WIRE_NAME_MAX));
	p->key = *key;
	p->terms =
	    (struct witness_terms){ .quiet_until_ns = now + longest_ns, .longest_ns = longest_ns };
	p->challenge = 1;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = ((const struct witness_pair *)a)->key.pair;
	uint64_t y = ((const struct witness_pair *)b)->key.pair;

	return (x > y) - (x < y);
}

bool
witness_table_sort(struct witness_table *t, const char **a, const char **b)
{
	qsort(t->pairs, t->n, sizeof(*t->pairs), compare);
	for (size_t i = 1; i < t->n; i++)
		if (t->pairs[i - 1].key.pair == t->pairs[i].key.pair) {
			*a = t->pairs[i - 1].name;
			*b = t->pairs[i].name;
			return false;
		}
	return true;
}

static struct witness_pair *
find(const struct witness_table *t, uint64_t number)
{
	const struct witness_pair wanted = { .key.pair = number };

	return t->n ? bsearch(&wanted, t->pairs, t->n, sizeof(wanted), compare) : NULL;
}

/* What was lent for longer than is lent from now on is remembered by the lease itself. */
void
witness_table_inherit(struct witness_table *t, const struct witness_table *from, int64_t longest_ns)
{
	for (size_t i = 0; i < t->n; i++) {
		struct witness_pair *p = &t->pairs[i], fresh = *p;
		const struct witness_pair *was = find(from, p->key.pair);

		if (!was)
			continue;
		*p = *was;
		memcpy(p->name, fresh.name, sizeof(p->name));
		p->terms.longest_ns = longest_ns;
	}
	t->host = from->host;
	memcpy(t->lost, from->lost, sizeof(t->lost));
}

const struct witness_node *
witness_pair_holder(const struct witness_pair *p, int64_t now)
{
	if (p->lease.holder == WITNESS_NOBODY || now >= p->lease.until_ns)
		return NULL;
	return &p->nodes[p->lease.holder - 1];
}

/* --- nodes --- */

/* It has nothing, and nothing was heard of it for so long that it has nothing of ours any more. */
static bool
is_gone(const struct witness_pair *p, const struct witness_node *n, int64_t now)
{
	return witness_pair_holder(p, now) != n && now - n->heard_ns >= p->terms.longest_ns;
}

/* The place of a node of that name; NULL: there is none for it. */
static struct witness_node *
place(struct witness_pair *p, const char *name, int64_t now)
{
	struct witness_node *n = p->nodes;

	for (int i = 0; i < 2; i++)
		if (strcmp(n[i].name, name) == 0)
			return &n[i];
	for (int i = 0; i < 2; i++)
		if (!n[i].name[0] || is_gone(p, &n[i], now))
			return &n[i];
	return NULL;
}

static bool
is_introduced(
    const struct witness_table *t, const struct witness_pair *p, const struct witness_packet *w)
{
	return w->host == t->host && w->challenge == p->challenge;
}

/* A lease stays with the name: the node has started again, and its addresses may still be there. */
static void
accept_session(struct witness_pair *p, struct witness_node *n, const struct witness_packet *w)
{
	bool same = strcmp(n->name, w->node) == 0;

	if (!same && p->lease.holder == (unsigned)(n - p->nodes) + 1)
		p->lease = (struct witness_lease){ .holder = WITNESS_NOBODY };
	memcpy(n->name, w->node, sizeof(n->name));
	n->session = w->session;
	n->seen = 0;
	p->challenge++;
}

/* WITNESS_ANSWERED: it may be. */
static enum witness_result
admit(struct witness_table *t, struct witness_heard *h, const struct witness_packet *w, int64_t now)
{
	struct witness_node *n = place(h->pair, w->node, now);

	if (!n)
		return WITNESS_STRANGER;
	if (n->session != w->session || strcmp(n->name, w->node) != 0) {
		if (!is_introduced(t, h->pair, w))
			return WITNESS_CHALLENGED;
		accept_session(h->pair, n, w);
	}
	if (w->request.id <= n->seen)
		return WITNESS_OLD;
	n->seen = w->request.id;
	n->heard_ns = now;
	h->node = n;
	return WITNESS_ANSWERED;
}

/* --- answers --- */

static void
decide(struct witness_heard *h, const struct witness_packet *w, int64_t now,
    struct witness_packet *reply)
{
	struct witness_pair *p = h->pair;
	const struct witness_node *before = witness_pair_holder(p, now);

	reply->answer = witness_decide(
	    &p->lease, &p->terms, (unsigned)(h->node - p->nodes) + 1, &w->request, now);
	p->granted += reply->answer.verdict == WITNESS_GRANTED;
	h->lent = witness_pair_holder(p, now) && witness_pair_holder(p, now) != before;
	h->ended = before && !witness_pair_holder(p, now);
}

static enum witness_result
reply_to(
    struct witness_table *t, struct witness_heard *h, const struct witness_packet *w, int64_t now)
{
	struct witness_packet reply = { .type = WITNESS_ANSWER, .session = w->session };
	enum witness_result result = admit(t, h, w, now);

	if (result != WITNESS_ANSWERED && result != WITNESS_CHALLENGED)
		return result;
	memcpy(reply.node, w->node, sizeof(reply.node));
	reply.host = t->host;
	reply.challenge = h->pair->challenge;
	if (result == WITNESS_ANSWERED) {
		decide(h, w, now, &reply);
	} else {
		reply.type = WITNESS_CHALLENGE;
		reply.answer.id = w->request.id;
	}
	return witness_wire_encode(h->reply, &reply, &h->pair->key) ? result : WITNESS_MALFORMED;
}

static enum witness_result
result_of(enum wire_verdict v)
{
	switch (v) {
	case WIRE_OK:
		return WITNESS_ANSWERED;
	case WIRE_MALFORMED:
		return WITNESS_MALFORMED;
	case WIRE_OTHER_VERSION:
		return WITNESS_OTHER_VERSION;
	case WIRE_FORGED:
		return WITNESS_FORGED;
	}
	CHECK_NEVER();
}

static enum witness_result
hear(struct witness_table *t, struct str packet, int64_t now, struct witness_heard *h)
{
	struct witness_packet w;
	uint64_t number;
	enum wire_verdict v = witness_wire_pair(packet, &number);

	if (v != WIRE_OK)
		return result_of(v);
	h->pair = find(t, number);
	if (!h->pair)
		return WITNESS_UNKNOWN;
	v = witness_wire_decode(&w, packet, &h->pair->key);
	if (v != WIRE_OK)
		return result_of(v);
	return w.type == WITNESS_QUESTION ? reply_to(t, h, &w, now) : WITNESS_MALFORMED;
}

void
witness_table_hear(struct witness_table *t, struct str packet, int64_t now, struct witness_heard *h)
{
	memset(h, 0, sizeof(*h));
	h->result = hear(t, packet, now, h);
	(h->pair ? h->pair->count : t->lost)[h->result]++;
}
