/* stats_sum.c - gathers the items of all blocks, sorts them by key and adds up each group. */
#include "lbd/worker/stats_sum.h"

#include <errno.h>
#include <stdlib.h>

#include "lbd/worker/stats_block.h"

const struct stats_quantile stats_quantiles[STATS_QUANTILES] = {
	{ 500, "0.5" },
	{ 950, "0.95" },
	{ 990, "0.99" },
	{ 999, "0.999" },
};

struct gathered {
	uint64_t key;
	const void *item;
};

static int
gathered_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct gathered *)a)->key, y = ((const struct gathered *)b)->key;

	return (x > y) - (x < y);
}

typedef const struct stats_table *table_of(const struct stats *);

static const struct stats_table *
requests_table(const struct stats *s)
{
	return &s->requests;
}

static const struct stats_table *
routes_table(const struct stats *s)
{
	return &s->routes;
}

/* The items of one table of every block, sorted by key. */
static ssize_t
gather(struct stats_blocks blocks, table_of *table, struct gathered **out)
{
	struct gathered *all = NULL;
	size_t n = 0;

	for (unsigned b = 0; b < blocks.n; b++) {
		const struct stats_table *t = table(blocks.block[b]);
		uint32_t count = stats_table_count(t);
		struct gathered *grown = realloc(all, (n + count + 1) * sizeof(*all));

		if (!grown) {
			free(all);
			return -ENOMEM;
		}
		all = grown;
		for (uint32_t i = 0; i < count; i++) {
			const struct stats_item *item = stats_table_at(t, i);

			all[n++] = (struct gathered){ item->key, item };
		}
	}
	if (n)
		qsort(all, n, sizeof(*all), gathered_compare);
	*out = all;
	return (ssize_t)n;
}

/* The end of the group of equal keys that begins at `from`. */
static size_t
group_end(const struct gathered *g, size_t n, size_t from)
{
	size_t end = from + 1;

	while (end < n && g[end].key == g[from].key)
		end++;
	return end;
}

static struct stats_requests_sum
sum_requests(const struct gathered *g, size_t n)
{
	struct stats_requests_sum sum = {
		.listener = (uint16_t)(g->key >> 48),
		.pool = (uint16_t)(g->key >> 32),
		.server = (uint16_t)(g->key >> 16),
		.status = (uint16_t)g->key,
	};

	for (size_t i = 0; i < n; i++) {
		const struct stats_requests *r = g[i].item;

		sum.count += counter_get(&r->count);
	}
	return sum;
}

ssize_t
stats_sum_requests(struct stats_blocks blocks, struct stats_requests_sum **rows)
{
	struct gathered *g;
	ssize_t n = gather(blocks, requests_table, &g), k = 0;
	size_t end;

	if (n < 0)
		return n;
	*rows = calloc((size_t)n + 1, sizeof(**rows));
	for (size_t i = 0; *rows && i < (size_t)n; i = end) {
		end = group_end(g, (size_t)n, i);
		(*rows)[k++] = sum_requests(g + i, end - i);
	}
	free(g);
	return *rows ? k : -ENOMEM;
}

static void
sum_route(struct stats_route_sum *sum, struct histogram_minute_sum *minute, int64_t now_ns,
    const struct gathered *g, size_t n)
{
	*minute = (struct histogram_minute_sum){ 0 };
	sum->listener = (uint16_t)(g->key >> 48);
	sum->pool = (uint16_t)(g->key >> 32);
	for (size_t i = 0; i < n; i++) {
		const struct stats_route *r = g[i].item;

		histogram_sum_add(&sum->duration, &r->duration);
		histogram_minute_sum_add(minute, &r->minute, now_ns);
	}
	for (size_t q = 0; q < STATS_QUANTILES; q++)
		sum->quantile_ns[q] = histogram_quantile(minute, stats_quantiles[q].permille);
}

ssize_t
stats_sum_routes(struct stats_blocks blocks, int64_t now_ns, struct stats_route_sum **rows)
{
	struct histogram_minute_sum minute;
	struct gathered *g;
	ssize_t n = gather(blocks, routes_table, &g), k = 0;
	size_t end;

	if (n < 0)
		return n;
	*rows = calloc((size_t)n + 1, sizeof(**rows));
	for (size_t i = 0; *rows && i < (size_t)n; i = end) {
		end = group_end(g, (size_t)n, i);
		sum_route(&(*rows)[k++], &minute, now_ns, g + i, end - i);
	}
	free(g);
	return *rows ? k : -ENOMEM;
}

void
stats_sum_listener(struct stats_blocks blocks, uint32_t id, struct stats_listener_sum *sum)
{
	*sum = (struct stats_listener_sum){ 0 };
	for (unsigned b = 0; b < blocks.n; b++) {
		const struct stats_listener *l =
		    atomic_load_explicit(&blocks.block[b]->listeners[id], memory_order_acquire);

		if (!l)
			continue;
		sum->connections += counter_get(&l->connections);
		sum->connections_total += counter_get(&l->connections_total);
		sum->bytes_in += counter_get(&l->bytes_in);
		sum->bytes_out += counter_get(&l->bytes_out);
		for (unsigned t = 0; t < TERMINATION_COUNT; t++)
			sum->rejected[t] += counter_get(&l->rejected[t]);
		sum->http2_streams += counter_get(&l->http2_streams);
		sum->http2_streams_total += counter_get(&l->http2_streams_total);
		sum->http2_held += counter_get(&l->http2_held);
		sum->http2_resets += counter_get(&l->http2_resets);
		for (unsigned o = 0; o < H2_OFFENCES; o++)
			sum->http2_cut[o] += counter_get(&l->http2_cut[o]);
		for (unsigned h = 0; h < STATS_HANDSHAKES; h++)
			sum->tls_handshakes[h] += counter_get(&l->tls_handshakes[h]);
		for (unsigned f = 0; f < TLS_FAILURES; f++)
			sum->tls_failures[f] += counter_get(&l->tls_failures[f]);
		sum->ktls_connections += counter_get(&l->ktls_connections);
		sum->ktls_bytes += counter_get(&l->ktls_bytes);
		for (unsigned f = 0; f < PROXY_FAULTS; f++)
			sum->proxy_faults[f] += counter_get(&l->proxy_faults[f]);
	}
}

void
stats_sum_pool(struct stats_blocks blocks, uint32_t id, struct stats_pool_sum *sum)
{
	*sum = (struct stats_pool_sum){ 0 };
	for (unsigned b = 0; b < blocks.n; b++) {
		const struct stats_pool_block *p =
		    atomic_load_explicit(&blocks.block[b]->pools[id], memory_order_acquire);

		if (!p)
			continue;
		sum->retries += counter_get(&p->counters.retries);
		sum->retries_denied += counter_get(&p->counters.retries_denied);
		sum->http1_tunnels += counter_get(&p->counters.http1_tunnels);
		sum->queued += counter_get(&p->counters.queued);
		sum->queued_total += counter_get(&p->counters.queued_total);
		for (unsigned k = 0; k < STATS_STICKIES; k++)
			sum->sticky[k] += counter_get(&p->counters.sticky[k]);
		for (unsigned o = 0; o < H2_OFFENCES; o++)
			sum->http2_cut[o] += counter_get(&p->counters.http2_cut[o]);
		for (unsigned h = 0; h < STATS_HANDSHAKES; h++)
			sum->tls_handshakes[h] += counter_get(&p->counters.tls_handshakes[h]);
		for (unsigned f = 0; f < TLS_FAILURES; f++)
			sum->tls_failures[f] += counter_get(&p->counters.tls_failures[f]);
		histogram_sum_add(&sum->connect, &p->connect);
		histogram_sum_add(&sum->response, &p->response);
	}
}

uint64_t
stats_connections(const struct stats *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < STATS_LISTENERS_MAX; i++) {
		const struct stats_listener *l =
		    atomic_load_explicit(&s->listeners[i], memory_order_acquire);

		if (l)
			n += counter_get(&l->connections);
	}
	return n;
}

uint64_t
stats_sum_connections(struct stats_blocks blocks)
{
	uint64_t n = 0;

	for (unsigned b = 0; b < blocks.n; b++)
		n += stats_connections(blocks.block[b]);
	return n;
}

int64_t
stats_loop_lag_ns(const struct stats *s)
{
	return atomic_load_explicit(&s->loop_lag_ns, memory_order_relaxed);
}

uint64_t
stats_sum_uncounted(struct stats_blocks blocks)
{
	uint64_t n = 0;

	for (unsigned b = 0; b < blocks.n; b++)
		n += counter_get(&blocks.block[b]->uncounted);
	return n;
}
