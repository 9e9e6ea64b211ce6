/* top_view.c - totals, then listeners, then servers, then alarms: a short screen shows the most important. */
#include "hafailover/hactl/top_view.h"

#include <stdio.h>

#include "common/clock.h"
#include "hafailover/hactl/member.h"
#include "hafailover/hactl/servers_view.h"
#include "hafailover/hactl/status_view.h"
#include "hafailover/hactl/table.h"
#include "hafailover/hactl/when.h"

enum { NUMBER_MAX = 32 };
struct number {
	char text[NUMBER_MAX];
};

/* Seconds between the two moments if rates can be had of them; else 0. */
static double
elapsed_s(const struct top_view *v)
{
	const struct top_moment *now = v->now, *before = v->before;

	if (!before || before->at_ns == 0 || now->at_ns <= before->at_ns ||
	    member_integer(now->status, "pid") != member_integer(before->status, "pid"))
		return 0.;
	return (double)(now->at_ns - before->at_ns) / (double)NS_PER_S;
}

/* Counters only rise; one of a row that was not there before was 0. */
static struct number
rate_of(double now, double before, double seconds)
{
	struct number n = { "-" };

	if (seconds > 0.)
		snprintf(
		    n.text, sizeof(n.text), "%.1f", now > before ? (now - before) / seconds : 0.);
	return n;
}

static struct number
bytes_rate(double now, double before, double seconds)
{
	static const char *const units[] = { "B", "kB", "MB", "GB" };
	struct number n = { "-" };
	double rate = now > before ? (now - before) / seconds : 0.;
	unsigned unit = 0;

	if (seconds <= 0.)
		return n;
	for (; rate >= 1000. && unit < 3; unit++)
		rate /= 1000.;
	snprintf(n.text, sizeof(n.text), "%.1f %s", rate, units[unit]);
	return n;
}

static struct number
duration_of(double s)
{
	struct number n = { "-" };

	if (s >= 1.)
		snprintf(n.text, sizeof(n.text), "%.2f s", s);
	else if (s >= 0.)
		snprintf(n.text, sizeof(n.text), "%.2f ms", s * 1e3);
	return n;
}

/* --- totals --- */

static double
worst_lag_ms(const json_t *status)
{
	const json_t *worker;
	double worst = 0.;
	size_t i;

	json_array_foreach(json_object_get(status, "workers"), i, worker)
	{
		double ms = json_number_value(json_object_get(worker, "loop_lag_ms"));

		worst = ms > worst ? ms : worst;
	}
	return worst;
}

static void
state_print(const struct top_view *v, struct text *out)
{
	const json_t *s = v->now->status;
	bool ready = member_is(s, "ready");
	struct look look = v->look;
	enum style style = ready ? STYLE_GOOD : STYLE_BAD;

	text_append(out, STR("lbd "));
	display_clean(out, member_text(s, "node"));
	text_printf(out, ": %s%s%s", style_on(style, look.colour),
	    ready                          ? "ready"
		: member_is(s, "draining") ? "draining"
					   : "not ready",
	    style_off(style, look.colour));
	text_printf(out, ", up for %s, ", when_span(member_scaled(s, "uptime_s", NS_PER_S)).text);
	servers_view_count(s, out);
	text_printf(out, ", %lld connections\n", (long long)member_integer(s, "connections"));
	text_printf(out, "%zu workers, at most %.2f ms late\n",
	    json_array_size(json_object_get(s, "workers")), worst_lag_ms(s));
}

static void
totals_print(const struct top_view *v, struct text *out, double seconds)
{
	static const char *const names[TRAFFIC_CLASSES] = { "none", "1xx", "2xx", "3xx", "4xx",
		"5xx" };
	static const struct traffic nothing;
	const struct traffic *now = &v->now->traffic;
	const struct traffic *before = seconds > 0. ? &v->before->traffic : &nothing;

	text_printf(out, "per second: %s new connections, in %s, out %s\n",
	    rate_of(now->connections, before->connections, seconds).text,
	    bytes_rate(now->bytes_in, before->bytes_in, seconds).text,
	    bytes_rate(now->bytes_out, before->bytes_out, seconds).text);
	text_append(out, STR("answers per second:"));
	for (unsigned i = 1; i <= TRAFFIC_CLASSES; i++) {
		unsigned class = i % TRAFFIC_CLASSES;

		text_printf(out, "  %s %s", names[class],
		    rate_of(now->classes[class], before->classes[class], seconds).text);
	}
	text_append(out, STR("\n"));
}

static void
requests_print(const struct top_view *v, struct text *out, double seconds)
{
	double now = (double)member_integer(v->now->status, "requests_total");
	double before =
	    seconds > 0. ? (double)member_integer(v->before->status, "requests_total") : 0.;

	text_printf(out, "%s%s requests per second%s\n", style_on(STYLE_BOLD, v->look.colour),
	    rate_of(now, before, seconds).text, style_off(STYLE_BOLD, v->look.colour));
}

/* --- listeners --- */

static void
cell_text(struct table *t, struct str s)
{
	table_add(t, STYLE_PLAIN, s.n ? s : STR("-"));
}

static void
cells_rates(struct table *t, const struct traffic_row *now, const struct traffic_row *before,
    double seconds)
{
	static const struct traffic_row nothing;
	const double *n = now ? now->classes : nothing.classes;
	const double *b = before ? before->classes : nothing.classes;
	bool failing = seconds > 0. && n[5] > b[5];

	cell_text(t, str_of(rate_of(traffic_requests(n), traffic_requests(b), seconds).text));
	table_add(t, failing ? STYLE_BAD : STYLE_PLAIN, str_of(rate_of(n[5], b[5], seconds).text));
}

static void
routes_print(const struct top_view *v, struct text *out, double seconds)
{
	static const struct table_column columns[] = {
		{ "LISTENER", false, 6 },
		{ "POOL", false, 6 },
		{ "REQUESTS/s", true, 0 },
		{ "5xx/s", true, 0 },
		{ "P50", true, 0 },
		{ "P95", true, 0 },
		{ "P99", true, 0 },
		{ "P99.9", true, 0 },
	};
	const struct traffic_rows *routes = &v->now->traffic.routes;
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));

	for (size_t i = 0; i < routes->n; i++) {
		const struct traffic_row *r = &routes->rows[i], *before = NULL;

		if (seconds > 0.)
			before =
			    traffic_find(&v->before->traffic.routes, r->listener, r->pool, STR(""));
		cell_text(t, r->listener);
		cell_text(t, r->pool);
		cells_rates(t, r, before, seconds);
		for (unsigned q = 0; q < TRAFFIC_QUANTILES; q++)
			cell_text(t, str_of(duration_of(r->quantile_s[q]).text));
	}
	text_append(out, STR("\n"));
	table_print(&t, out, v->look);
}

/* --- servers --- */

static void
server_row(const struct top_view *v, struct table *t, const json_t *server, double seconds)
{
	struct str pool = member_text(server, "pool"), name = member_text(server, "name");
	struct server_state state = servers_view_state(server);
	const struct traffic_row *now = NULL, *before = NULL;

	if (v->now->has_traffic)
		now = traffic_find(&v->now->traffic.servers, STR(""), pool, name);
	else
		seconds = 0.;
	if (seconds > 0.)
		before = traffic_find(&v->before->traffic.servers, STR(""), pool, name);
	cell_text(t, pool);
	cell_text(t, name);
	table_add(t, state.style, str_of(state.word));
	cells_rates(t, now, before, seconds);
	table_printf(t, STYLE_PLAIN, "%lld", (long long)member_integer(server, "active"));
	table_printf(t, STYLE_PLAIN, "%lld", (long long)member_integer(server, "connections"));
}

static void
servers_print(const struct top_view *v, struct text *out, double seconds)
{
	static const struct table_column columns[] = {
		{ "POOL", false, 6 },
		{ "SERVER", false, 8 },
		{ "STATE", false, 0 },
		{ "REQUESTS/s", true, 0 },
		{ "5xx/s", true, 0 },
		{ "ACTIVE", true, 0 },
		{ "CONNECTIONS", true, 5 },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));
	const json_t *server;
	size_t i;

	json_array_foreach(json_object_get(v->now->servers, "servers"), i, server)
	{
		server_row(v, t, server, seconds);
	}
	text_append(out, STR("\n"));
	table_print(&t, out, v->look);
}

void
top_view_print(const struct top_view *v, struct text *out)
{
	double seconds = elapsed_s(v);
	bool rates = seconds > 0. && v->before->has_traffic;

	state_print(v, out);
	requests_print(v, out, seconds);
	if (v->now->has_traffic) {
		totals_print(v, out, rates ? seconds : 0.);
		routes_print(v, out, rates ? seconds : 0.);
	} else {
		text_append(out, STR("no codes, latencies and rates of servers: "));
		display_clean(out, str_of(v->now->why.text));
		text_append(out, STR("\n"));
	}
	servers_print(v, out, rates ? seconds : 0.);
	status_view_alarms(v->now->status, out, v->look);
}
