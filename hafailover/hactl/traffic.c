/* traffic.c - adds up the series that hactl top shows. */
#include "hafailover/hactl/traffic.h"

#include <errno.h>
#include <stdlib.h>

#include "hafailover/hactl/exposition.h"

static bool
is_row(const struct traffic_row *r, struct str listener, struct str pool, struct str server)
{
	return str_eq(r->listener, listener) && str_eq(r->pool, pool) && str_eq(r->server, server);
}

/* Series of one row follow each other, so the search begins where the last one ended. */
static size_t
row_index(const struct traffic_rows *t, struct str listener, struct str pool, struct str server)
{
	for (size_t i = 0; i < t->n; i++) {
		size_t at = (t->found + i) % t->n;

		if (is_row(&t->rows[at], listener, pool, server))
			return at;
	}
	return t->n;
}

const struct traffic_row *
traffic_find(const struct traffic_rows *t, struct str listener, struct str pool, struct str server)
{
	size_t i = row_index(t, listener, pool, server);

	return i < t->n ? &t->rows[i] : NULL;
}

/* Found or made; NULL: out of memory. */
static struct traffic_row *
row_of(struct traffic *traffic, struct traffic_rows *t, struct str listener, struct str pool,
    struct str server)
{
	size_t size = t->size ? 2 * t->size : 32, i = row_index(t, listener, pool, server);
	struct traffic_row *rows = t->rows;

	t->found = i < t->n ? i : 0;
	if (i < t->n)
		return &t->rows[i];
	if (t->n == t->size) {
		rows = realloc(rows, size * sizeof(*rows));
		if (!rows)
			return NULL;
		t->rows = rows;
		t->size = size;
	}
	t->found = t->n;
	rows[t->n] = (struct traffic_row){
		.listener = arena_str(traffic->arena, listener),
		.pool = arena_str(traffic->arena, pool),
		.server = arena_str(traffic->arena, server),
		.quantile_s = { -1., -1., -1., -1. },
	};
	return arena_failed(traffic->arena) ? NULL : &rows[t->n++];
}

/* --- series --- */

static unsigned
class_of(struct str code)
{
	bool known = code.n == 3 && code.p[0] >= '1' && code.p[0] <= '5';

	return known ? (unsigned)(code.p[0] - '0') : 0;
}

static bool
take_requests(struct traffic *t, const struct sample *s)
{
	unsigned class = class_of(sample_label(s, "code"));
	struct str listener = sample_label(s, "listener"), pool = sample_label(s, "pool");
	struct str server = sample_label(s, "server");
	struct traffic_row *row = row_of(t, &t->routes, listener, pool, STR(""));

	t->classes[class] += s->value;
	if (!row)
		return false;
	row->classes[class] += s->value;
	if (!server.n)
		return true;
	row = row_of(t, &t->servers, STR(""), pool, server);
	if (row)
		row->classes[class] += s->value;
	return row;
}

static bool
take_quantile(struct traffic *t, const struct sample *s)
{
	static const char *const quantiles[TRAFFIC_QUANTILES] = { "0.5", "0.95", "0.99", "0.999" };
	struct str listener = sample_label(s, "listener"), pool = sample_label(s, "pool");
	struct str quantile = sample_label(s, "quantile");
	struct traffic_row *row = row_of(t, &t->routes, listener, pool, STR(""));

	for (unsigned i = 0; row && i < TRAFFIC_QUANTILES; i++)
		if (str_eq(quantile, str_of(quantiles[i])))
			row->quantile_s[i] = s->value;
	return row;
}

static bool
take_bytes(struct traffic *t, const struct sample *s)
{
	if (str_eq(sample_label(s, "direction"), STR("in")))
		t->bytes_in += s->value;
	else
		t->bytes_out += s->value;
	return true;
}

static bool
take_connections(struct traffic *t, const struct sample *s)
{
	t->connections += s->value;
	return true;
}

static const struct {
	const char *name;
	bool (*take)(struct traffic *, const struct sample *);
} series[] = {
	{ "lbpair_requests_total", take_requests },
	{ "lbpair_request_duration_quantile_seconds", take_quantile },
	{ "lbpair_bytes_total", take_bytes },
	{ "lbpair_connections_total", take_connections },
};

int
traffic_parse(struct traffic *t, struct str metrics)
{
	struct sample s;
	bool taken = true;

	*t = (struct traffic){ .arena = arena_new() };
	if (!t->arena)
		return -ENOMEM;
	while (taken && exposition_next(&metrics, &s))
		for (size_t i = 0; i < sizeof(series) / sizeof(*series) && taken; i++)
			if (str_eq(s.name, str_of(series[i].name)))
				taken = series[i].take(t, &s);
	return taken ? 0 : -ENOMEM;
}

void
traffic_fini(struct traffic *t)
{
	free(t->routes.rows);
	free(t->servers.rows);
	arena_free(&t->arena);
	*t = (struct traffic){ 0 };
}

double
traffic_requests(const double classes[TRAFFIC_CLASSES])
{
	double sum = 0.;

	for (unsigned i = 0; i < TRAFFIC_CLASSES; i++)
		sum += classes[i];
	return sum;
}
