/* resolution.c - what stays, what comes, what is cut; then in order. */
#include "lbd/resolve/resolution.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"

static const int64_t RETRY_MAX_NS = 30 * NS_PER_S;

const char *
dns_result_name(enum dns_result result)
{
	switch (result) {
	case DNS_OK:
		return "ok";
	case DNS_NO_DATA:
		return "no_data";
	case DNS_NOT_FOUND:
		return "not_found";
	case DNS_SERVER_FAILURE:
		return "server_failure";
	case DNS_TIMEOUT:
		return "timeout";
	case DNS_BAD_ANSWER:
		return "bad_answer";
	case DNS_FAILED:
		return "failed";
	case DNS_RESULTS:
		break;
	}
	CHECK_NEVER();
}

static int
address_compare(const void *a, const void *b)
{
	const struct resolution_address *x = a, *y = b;

	return memcmp(&x->address, &y->address, sizeof(x->address));
}

static bool
answer_has(const struct dns_answer *answer, const struct dns_address *a)
{
	for (uint32_t i = 0; i < answer->n; i++)
		if (dns_address_equal(&answer->list[i], a))
			return true;
	return false;
}

static bool
is_failure(enum dns_result result)
{
	return result != DNS_OK && result != DNS_NO_DATA;
}

static bool
stays(struct resolution_address *a, const struct resolution_rule *rule,
    const struct dns_answer answers[DNS_FAMILIES], int64_t now)
{
	const struct dns_answer *answer = &answers[dns_address_family(&a->address)];

	if (is_failure(answer->result))
		return true;
	if (answer_has(answer, &a->address))
		a->seen = now;
	return a->seen == now || (a->seen && now - a->seen < rule->hold);
}

/* Those that do not stay leave; how many did. */
static uint32_t
leave(struct resolution *r, const struct resolution_rule *rule,
    const struct dns_answer answers[DNS_FAMILIES], int64_t now)
{
	uint32_t kept = 0, before = r->n;

	for (uint32_t i = 0; i < before; i++)
		if (stays(&r->list[i], rule, answers, now))
			r->list[kept++] = r->list[i];
	r->n = kept;
	return before - kept;
}

static bool
is_known(const struct resolution *r, const struct dns_address *a)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (dns_address_equal(&r->list[i].address, a))
			return true;
	return false;
}

/* True: it is new. */
static bool
join(struct resolution *r, uint32_t max, const struct dns_address *a, int64_t now, uint32_t *cut)
{
	if (is_known(r, a))
		return false;
	if (r->n >= max) {
		++*cut;
		return false;
	}
	r->list[r->n++] = (struct resolution_address){ .address = *a, .seen = now };
	return true;
}

static bool
take(struct resolution *r, const struct resolution_rule *rule,
    const struct dns_answer answers[DNS_FAMILIES], int64_t now, uint32_t *cut)
{
	bool changed = leave(r, rule, answers, now) > 0;

	for (int f = 0; f < DNS_FAMILIES; f++)
		for (uint32_t i = 0; i < answers[f].n; i++)
			changed |= join(r, rule->max, &answers[f].list[i], now, cut);
	qsort(r->list, r->n, sizeof(*r->list), address_compare);
	return changed;
}

static enum dns_result
result_of(const struct dns_answer answers[DNS_FAMILIES])
{
	bool any = false;

	for (int f = 0; f < DNS_FAMILIES; f++) {
		if (is_failure(answers[f].result))
			return answers[f].result;
		any = any || answers[f].result == DNS_OK;
	}
	return any ? DNS_OK : DNS_NO_DATA;
}

static int64_t
bounded(int64_t v, int64_t min, int64_t max)
{
	return v < min ? min : v > max ? max : v;
}

/* The shortest of the answers' lives. */
static int64_t
life_of(const struct resolution_rule *rule, const struct dns_answer answers[DNS_FAMILIES])
{
	int64_t life = rule->max_ttl;

	for (int f = 0; f < DNS_FAMILIES; f++)
		if (answers[f].result == DNS_OK && answers[f].ttl < life)
			life = answers[f].ttl;
	return bounded(life, rule->min_ttl, rule->max_ttl);
}

/* The shortest life at first, then twice that, and so on. */
static int64_t
back_off(const struct resolution_rule *rule, uint32_t failures)
{
	int64_t most = rule->max_ttl < RETRY_MAX_NS ? rule->max_ttl : RETRY_MAX_NS;
	uint32_t doublings = failures - 1 < 20 ? failures - 1 : 20;

	return bounded(
	    rule->min_ttl << doublings, rule->min_ttl, most > rule->min_ttl ? most : rule->min_ttl);
}

struct resolution_news
resolution_step(struct resolution *r, const struct resolution_rule *rule,
    const struct dns_answer answers[DNS_FAMILIES], int64_t now)
{
	struct resolution_news news = { .result = result_of(answers) };
	int64_t wait = life_of(rule, answers), retry;

	CHECK(rule->max > 0 && rule->max <= RESOLUTION_MAX && rule->min_ttl > 0);
	if (answers[DNS_IPV4].result == DNS_OK || answers[DNS_IPV6].result == DNS_OK)
		news.changed = take(r, rule, answers, now, &news.cut);
	r->failures = news.result == DNS_OK ? 0 : r->failures + (r->failures < UINT32_MAX);
	if (news.result != DNS_OK && (retry = back_off(rule, r->failures)) < wait)
		wait = retry;
	news.again = now + wait;
	return news;
}

bool
resolution_remember(struct resolution *r, uint32_t max, const struct dns_address *a)
{
	uint32_t cut = 0;

	if (!join(r, max, a, 0, &cut))
		return cut == 0;
	qsort(r->list, r->n, sizeof(*r->list), address_compare);
	return true;
}

void
resolution_used(struct resolution *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		r->list[i].in_use = true;
}

bool
resolution_is_late(const struct resolution *r, uint32_t i)
{
	if (r->list[i].in_use)
		return false;
	for (uint32_t k = 0; k < r->n; k++)
		if (r->list[k].in_use)
			return true;
	return false;
}
