/*
 * resolver.c - a table of names, one timer for all of them, a bounded number of questions at once.
 *
 * The timer looks at every name when the next is due, but not more often than 20 times a second; so do answers, when
 * there is room for many more questions.
 */
#include "lbd/resolve/resolver.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "lbd/balance/hash.h"
#include "lbd/resolve/dns.h"

enum { BUCKETS = 1024, ASKING_MAX = 64, HOST_SIZE = 256 };

static const int64_t GRAIN_NS = 50 * NS_PER_MS;

struct name {
	struct name *next; /* of its bucket, or of those that were dropped */
	struct resolver *resolver;
	char host[HOST_SIZE]; /* lower case */
	uint32_t max;
	struct resolution known;
	enum dns_result result; /* of the last answer */
	uint32_t cut; /* addresses, of the last answer */
	int64_t due;
	uint64_t kept_by; /* the resolver_keep that named it last */
	bool asking, answered, dropped;
};

struct resolver {
	struct ev_loop *loop;
	struct resolver_hooks hooks;
	struct lbd_config *config; /* whose settings hold; NULL: none yet */
	struct dns *dns;
	struct name *buckets[BUCKETS];
	struct name *dropped; /* while they are asked for */
	uint32_t n_asking, n_unanswered;
	uint64_t keeps; /* so far */
	bool turning, behind; /* names are due, and there was no room to ask for them */
	ev_timer timer;
	int64_t wakes; /* the timer does, then */
	uint64_t queries[DNS_RESULTS];
};

/* --- the table --- */

static void
host_lower(char to[HOST_SIZE], struct str host)
{
	size_t n = host.n < HOST_SIZE ? host.n : HOST_SIZE - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = (char)tolower((unsigned char)host.p[i]);
	to[n] = '\0';
}

/* Where the name is, or the end of its bucket. */
static struct name **
name_place(struct resolver *r, const char *host, uint32_t max)
{
	struct name **np = &r->buckets[balance_hash(host, strlen(host)) % BUCKETS];

	while (*np && ((*np)->max != max || strcmp((*np)->host, host) != 0))
		np = &(*np)->next;
	return np;
}

static const struct name *
name_find(const struct resolver *r, struct str host, uint32_t max)
{
	char lower[HOST_SIZE];

	host_lower(lower, host);
	return *name_place((struct resolver *)(uintptr_t)r, lower, max);
}

/* Found or made; NULL: out of memory. */
static struct name *
name_get(struct resolver *r, struct str host, uint32_t max)
{
	char lower[HOST_SIZE];
	struct name **np, *n;

	host_lower(lower, host);
	np = name_place(r, lower, max);
	n = *np ? *np : calloc(1, sizeof(*n));
	if (!n || *np)
		return n;
	n->resolver = r;
	memcpy(n->host, lower, sizeof(lower));
	n->max = max;
	r->n_unanswered++;
	*np = n;
	return n;
}

static void
name_drop(struct name **np)
{
	struct name *n = *np;
	struct resolver *r = n->resolver;

	*np = n->next;
	r->n_unanswered -= !n->answered;
	if (!n->asking) {
		free(n);
		return;
	}
	n->dropped = true;
	n->next = r->dropped;
	r->dropped = n;
}

static void
dropped_free(struct resolver *r, struct name *n)
{
	struct name **np = &r->dropped;

	while (*np != n)
		np = &(*np)->next;
	*np = n->next;
	free(n);
}

/* --- what is said of it --- */

static void
addresses_text(const struct resolution *known, struct text *t)
{
	char one[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < known->n; i++) {
		dns_address_format(&known->list[i].address, one);
		text_printf(t, "%s%s", i ? " " : "", one);
	}
}

static void
change_log(const struct name *n, const struct resolution *before)
{
	struct text old, new;

	text_init(&old, 65536);
	text_init(&new, 65536);
	addresses_text(before, &old);
	addresses_text(&n->known, &new);
	log_notice("name_resolved", "name=%s old=%s new=%s", n->host,
	    log_quoted((struct str){ old.p, old.n }).text,
	    log_quoted((struct str){ new.p, new.n }).text);
	text_fini(&old);
	text_fini(&new);
}

static void
news_log(struct name *n, const struct resolution *before, const struct resolution_news *news)
{
	if (news->result != DNS_OK && n->known.failures == 1)
		log_warning("name_failed", "name=%s reason=%s kept=%u", n->host,
		    dns_result_name(news->result), n->known.n);
	else if (news->result == DNS_OK && before->failures)
		log_notice("name_answered", "name=%s failures=%u", n->host, before->failures);
	if (news->changed)
		change_log(n, before);
	if (news->cut > n->cut)
		log_warning(
		    "name_cut", "name=%s used=%u unused=%u", n->host, n->known.n, news->cut);
	n->cut = news->cut;
}

/* --- questions --- */

static void resolver_turn(struct resolver *);
static void wake_by(struct resolver *, int64_t due, int64_t now);

static void
on_answered(void *arg, const struct dns_answer answers[DNS_FAMILIES])
{
	struct name *n = arg;
	struct resolver *r = n->resolver;
	const struct resolver_config *c = &r->config->resolver;
	const struct resolution_rule rule = { n->max, c->min_ttl, c->max_ttl, c->hold };
	struct resolution before = n->known;
	struct resolution_news news;
	int64_t now = clock_ns();
	bool first = !n->answered;

	r->n_asking--;
	if (n->dropped) {
		dropped_free(r, n);
	} else {
		news = resolution_step(&n->known, &rule, answers, now);
		n->asking = false;
		n->answered = true;
		n->result = news.result;
		n->due = news.again;
		r->n_unanswered -= first;
		wake_by(r, n->due, now);
		news_log(n, &before, &news);
		if (news.changed)
			r->hooks.changed(r->hooks.arg);
		if (first && r->n_unanswered == 0)
			r->hooks.settled(r->hooks.arg);
	}
	if (r->behind && !r->turning && r->n_asking <= ASKING_MAX / 2)
		resolver_turn(r);
}

static void
wake_by(struct resolver *r, int64_t due, int64_t now)
{
	int64_t left = due - now > GRAIN_NS ? due - now : GRAIN_NS;

	if (ev_is_active(&r->timer) && r->wakes <= due)
		return;
	r->wakes = due;
	ev_timer_stop(r->loop, &r->timer);
	ev_now_update(r->loop);
	ev_timer_set(&r->timer, (double)left / NS_PER_S, 0.);
	ev_timer_start(r->loop, &r->timer);
}

static void
name_ask(struct name *n)
{
	struct resolver *r = n->resolver;

	n->asking = true;
	r->n_asking++;
	dns_ask(r->dns, (struct str){ n->host, strlen(n->host) }, on_answered, n);
}

/* Asks for what is due, as far as there is room. */
static void
resolver_turn(struct resolver *r)
{
	int64_t now = clock_ns();

	r->turning = true;
	r->behind = false;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct name *n = r->buckets[i]; n; n = n->next) {
			if (n->asking)
				continue;
			if (n->due > now)
				wake_by(r, n->due, now);
			else if (r->n_asking < ASKING_MAX)
				name_ask(n);
			else
				r->behind = true;
		}
	r->turning = false;
}

static void
on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)revents;
	resolver_turn(t->data);
}

/* Nobody answers the questions that are out: they are due again. */
static void
dns_drop(struct resolver *r)
{
	dns_free(&r->dns);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct name *n = r->buckets[i]; n; n = n->next)
			n->asking = false;
	while (r->dropped)
		dropped_free(r, r->dropped);
	r->n_asking = 0;
}

/* --- configurations --- */

struct resolver *
resolver_new(struct ev_loop *loop, const struct resolver_hooks *hooks)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->loop = loop;
	r->hooks = *hooks;
	ev_timer_init(&r->timer, on_timer, 0., 0.);
	r->timer.data = r;
	return r;
}

void
resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;

	*rp = NULL;
	if (!r)
		return;
	dns_drop(r);
	for (size_t i = 0; i < BUCKETS; i++)
		while (r->buckets[i])
			name_drop(&r->buckets[i]);
	ev_timer_stop(r->loop, &r->timer);
	config_unref(&r->config);
	free(r);
}

/* 1: there are names; 0: there are none; -ENOMEM. */
static int
names_add(struct resolver *r, const struct lbd_config *c)
{
	int any = 0;

	for (uint32_t i = 0; i < c->n_pools; i++)
		for (uint32_t j = 0; j < c->pools[i].n_servers; j++) {
			const struct server_config *s = &c->pools[i].servers[j];

			if (!server_is_named(s))
				continue;
			if (!name_get(r, s->host, s->resolve_max))
				return -ENOMEM;
			any = 1;
		}
	return any;
}

int
resolver_add(struct resolver *r, struct lbd_config *c, struct err *err)
{
	struct dns *dns = NULL;
	int any = names_add(r, c);

	if (any < 0)
		return err_set(err, any, "out of memory for the names of servers");
	if (any && !(dns = dns_new(r->loop, &c->resolver, r->queries, err)))
		return err->code;
	ev_timer_stop(r->loop, &r->timer);
	dns_drop(r);
	config_unref(&r->config);
	r->config = config_ref(c);
	r->dns = dns;
	if (dns)
		resolver_turn(r);
	return 0;
}

/* Marks the names of that configuration. */
static void
names_mark(struct resolver *r, const struct lbd_config *c)
{
	for (uint32_t i = 0; i < c->n_pools; i++)
		for (uint32_t j = 0; j < c->pools[i].n_servers; j++) {
			const struct server_config *s = &c->pools[i].servers[j];
			char lower[HOST_SIZE];
			struct name *n;

			if (!server_is_named(s))
				continue;
			host_lower(lower, s->host);
			n = *name_place(r, lower, s->resolve_max);
			CHECK(n);
			n->kept_by = r->keeps;
			resolution_used(&n->known);
		}
}

void
resolver_keep(struct resolver *r, const struct lbd_config *c)
{
	struct name **np;

	r->keeps++;
	names_mark(r, c);
	for (size_t i = 0; i < BUCKETS; i++)
		for (np = &r->buckets[i]; *np;) {
			if ((*np)->kept_by == r->keeps)
				np = &(*np)->next;
			else
				name_drop(np);
		}
}

bool
resolver_settled(const struct resolver *r)
{
	return r->n_unanswered == 0;
}

const struct resolution *
resolver_find(const struct resolver *r, struct str host, uint32_t max)
{
	const struct name *n = name_find(r, host, max);

	return n ? &n->known : NULL;
}

enum dns_result
resolver_result(const struct resolver *r, struct str host, uint32_t max)
{
	const struct name *n = name_find(r, host, max);

	return n ? n->result : DNS_OK;
}

void
resolver_count(const struct resolver *r, struct resolver_count *count)
{
	*count = (struct resolver_count){ .resolved = 0 };
	memcpy(count->queries, r->queries, sizeof(r->queries));
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct name *n = r->buckets[i]; n; n = n->next) {
			if (n->known.n == 0)
				count->unresolved++;
			else if (n->known.failures)
				count->stale++;
			else
				count->resolved++;
		}
}

/* --- over a crash or a restart: "NAME MAX ADDRESS...", one a line --- */

void
resolver_format(const struct resolver *r, struct text *t)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct name *n = r->buckets[i]; n; n = n->next) {
			if (n->known.n == 0)
				continue;
			text_printf(t, "%s %u ", n->host, n->max);
			addresses_text(&n->known, t);
			text_append(t, STR("\n"));
		}
}

/* The text up to that character, which is skipped; all of it if there is none. */
static struct str
cut(struct str *s, char at)
{
	const char *end = s->n ? memchr(s->p, at, s->n) : NULL;
	struct str head = { s->p, end ? (size_t)(end - s->p) : s->n };

	*s = str_skip(*s, end ? head.n + 1 : head.n);
	return head;
}

/* 1..RESOLUTION_MAX; 0: it is no such number. */
static uint32_t
max_parse(struct str s)
{
	uint32_t v = 0;

	if (s.n == 0 || s.n > 2)
		return 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return 0;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	return v <= RESOLUTION_MAX ? v : 0;
}

/* What is before the addresses, which are left in *line.  False: it is no line of ours. */
static bool
line_begin(struct str *line, struct str *host, uint32_t *max)
{
	*host = cut(line, ' ');
	*max = max_parse(cut(line, ' '));
	return host->n && host->n < HOST_SIZE && *max;
}

/* False: one is none. */
static bool
addresses_take(struct name *n, struct str list)
{
	struct dns_address a;
	bool good = list.n > 0;

	while (list.n) {
		bool usable = dns_address_parse(&a, cut(&list, ' ')) && dns_address_usable(&a);

		if (usable)
			resolution_remember(&n->known, n->max, &a);
		good = good && usable;
	}
	return good;
}

static void
line_take(struct resolver *r, struct str line)
{
	struct name *n;
	struct str host;
	uint32_t max;

	if (!line_begin(&line, &host, &max) || !(n = name_get(r, host, max)))
		return;
	addresses_take(n, line);
	resolution_used(&n->known);
	r->n_unanswered -= !n->answered;
	n->answered = true;
}

/* Whoever wrote this may have been taken over: what is not a line of ours is left out. */
void
resolver_take(struct resolver *r, struct str text)
{
	while (text.n)
		line_take(r, cut(&text, '\n'));
}

/* False: it is no line of ours, or not wholly. */
static bool
line_recall(struct resolver *r, struct str line)
{
	char lower[HOST_SIZE];
	struct name *n, other;
	struct str host;
	uint32_t max;

	if (!line_begin(&line, &host, &max))
		return false;
	host_lower(lower, host);
	n = *name_place(r, lower, max);
	if (n)
		return addresses_take(n, line);
	other = (struct name){ .max = max }; /* of another configuration */
	return addresses_take(&other, line);
}

int
resolver_recall(struct resolver *r, const struct lbd_config *c, struct str text)
{
	int code = names_add(r, c), wrong = 0;

	if (code < 0)
		return code;
	while (text.n)
		wrong += !line_recall(r, cut(&text, '\n'));
	return wrong;
}
