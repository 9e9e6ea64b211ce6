/*
 * witness.c - a packet in, what the table says out; a new configuration is a new table.
 *
 * Time is CLOCK_MONOTONIC: while this machine sleeps it stands still, and what was lent lasts longer
 * than was meant, never less.
 */
#include "hafailover/witness/witness.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/admin_http.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/sd_notify.h"
#include "common/text.h"
#include "hafailover/admin/metrics.h"
#include "hafailover/admin/service.h"
#include "hafailover/peer/witness_table.h"
#include "hafailover/witness/witness_metrics.h"
#include "hafailover/witness/witness_socket.h"

enum { WITNESS_MAGIC = 0x68617774, METRICS_MAX = 4 << 20 };

static const int64_t REFUSED_EVERY_NS = 10 * NS_PER_S;

struct witness {
	uint32_t magic;
	struct ev_loop *loop;
	const char *file;
	struct witness_config *config;
	struct witness_table table;
	struct witness_socket *sockets[WITNESS_LISTEN_MAX];
	uint32_t n_sockets;
	struct admin_http *http; /* NULL: off */
	struct service_timers service;
	int64_t refused_ns[WITNESS_RESULTS]; /* logged last */
};

/* --- the table --- */

static int
pair_make(
    struct witness_pair *p, const struct witness_pair_config *c, int64_t lease_ns, struct err *err)
{
	struct ha_secret secret;
	struct witness_key key;
	int code = ha_secret_read(&secret, c->secret_file.p, err);
	bool made;

	if (code)
		return code;
	made = witness_key_derive(&key, (struct str){ (const char *)secret.bytes, secret.n });
	explicit_bzero(&secret, sizeof(secret));
	if (!made)
		return err_set(err, -EIO, "OpenSSL cannot make a key of the secret");
	witness_pair_init(p, c->name.p, &key, witness_lease_ns(lease_ns), clock_ns());
	explicit_bzero(&key, sizeof(key));
	return 0;
}

static void
table_fini(struct witness_table *t)
{
	if (t->pairs)
		explicit_bzero(t->pairs, t->n * sizeof(*t->pairs));
	free(t->pairs);
	t->pairs = NULL;
	t->n = 0;
}

static int
pairs_make(struct witness_table *t, const struct witness_config *c, struct err *err)
{
	const char *a, *b;

	for (t->n = 0; t->n < c->n_pairs; t->n++) {
		struct err why;

		if (pair_make(&t->pairs[t->n], &c->pairs[t->n], c->lease, &why) < 0)
			return err_set(
			    err, why.code, "pairs[%zu].secret_file: %.400s", t->n, why.text);
	}
	if (!witness_table_sort(t, &a, &b))
		return err_set(err, -EINVAL,
		    "pairs: \"%s\" and \"%s\" have the same secret: each pair needs its own", a, b);
	return 0;
}

static int
table_make(struct witness_table *t, const struct witness_config *c, struct err *err)
{
	int code;

	*t = (struct witness_table){ .pairs = calloc(c->n_pairs, sizeof(*t->pairs)) };
	if (!t->pairs)
		return err_set(err, -ENOMEM, "out of memory for the pairs");
	if (getrandom(&t->host, sizeof(t->host), 0) != sizeof(t->host))
		code = err_set(err, -errno, "no random numbers: %s", strerror(errno));
	else
		code = pairs_make(t, c, err);
	t->host |= 1; /* not 0 */
	if (code)
		table_fini(t);
	return code;
}

int
witness_config_check(const struct witness_config *c, struct err *err)
{
	struct witness_table t;
	int code = table_make(&t, c, err);

	if (!code)
		table_fini(&t);
	return code;
}

/* --- packets --- */

static void
lending_tell(const struct witness_heard *h)
{
	const char *pair = h->pair->name, *node = h->node->name;

	if (h->lent)
		log_notice("vote_lent", "pair=%s node=%s", pair, log_quoted(str_of(node)).text);
	if (h->ended)
		log_notice("vote_returned", "pair=%s node=%s", pair, log_quoted(str_of(node)).text);
}

/* Somebody may send us a lot of it. */
static void
refusal_tell(
    struct witness *w, const struct witness_heard *h, const struct address *from, int64_t now)
{
	int64_t *last = &w->refused_ns[h->result];
	char text[ADDRESS_TEXT_MAX];

	if (h->result == WITNESS_OLD || (*last && now - *last < REFUSED_EVERY_NS))
		return;
	*last = now;
	address_format(from, text);
	log_warning("witness_refused", "from=%s result=%s pair=%s", text,
	    witness_result_name(h->result), h->pair ? h->pair->name : "-");
}

static const uint8_t *
on_packet(void *owner, struct str packet, const struct address *from, size_t *n)
{
	struct witness *w = owner;
	static struct witness_heard h;
	int64_t now = clock_ns();

	CHECK(w->magic == WITNESS_MAGIC);
	witness_table_hear(&w->table, packet, now, &h);
	if (h.result == WITNESS_ANSWERED)
		lending_tell(&h);
	if (h.result > WITNESS_CHALLENGED) {
		refusal_tell(w, &h, from, now);
		return NULL;
	}
	*n = sizeof(h.reply);
	return h.reply;
}

/* --- HTTP --- */

static void
get_metrics(struct admin_response *response, struct str query, void *context)
{
	struct witness *w = context;
	struct text text;

	(void)query;
	text_init(&text, METRICS_MAX);
	witness_metrics_write(&w->table, clock_ns(), &text);
	admin_response_text(response, METRICS_CONTENT_TYPE, &text);
}

static void
get_health(struct admin_response *response, struct str query, void *context)
{
	const struct witness *w = context;

	(void)query;
	admin_response_printf(response, "witness of %zu pairs\n", w->table.n);
}

static int
http_start(struct witness *w, struct err *err)
{
	static const struct admin_route routes[] = {
		{ "/metrics", get_metrics },
		{ "/healthz", get_health },
	};
	struct admin_http_options options = {
		.routes = routes,
		.n_routes = sizeof(routes) / sizeof(*routes),
		.context = w,
	};

	if (!w->config->http_on)
		return 0;
	options.listen_fd = service_http_open(&w->config->http, err);
	if (options.listen_fd < 0)
		return options.listen_fd;
	w->http = admin_http_start(w->loop, &options, err);
	return w->http ? 0 : err->code;
}

/* --- a new file --- */

static bool
same_listen(const struct witness_config *a, const struct witness_config *b)
{
	if (a->n_listen != b->n_listen)
		return false;
	for (uint32_t i = 0; i < a->n_listen; i++)
		if (!address_equal(&a->listen[i], &b->listen[i]))
			return false;
	return true;
}

static int
check_fixed(const struct witness_config *now, const struct witness_config *next, struct err *err)
{
	if (!same_listen(now, next))
		return err_set(err, -EINVAL, "listen: changes with a restart only");
	if (now->http_on != next->http_on ||
	    (now->http_on && !address_equal(&now->http, &next->http)))
		return err_set(err, -EINVAL, "admin.http: changes with a restart only");
	return 0;
}

static struct witness_config *
read_again(const struct witness *w, struct err *err)
{
	struct problems problems = { 0 };
	struct witness_config *c;
	char *text;
	size_t n;

	if (file_read(w->file, HA_CONFIG_SIZE_MAX, &text, &n, err) < 0)
		return NULL;
	c = witness_config_load((struct str){ text, n }, w->file, &problems);
	free(text);
	for (size_t i = 0; i < problems.kept; i++)
		log_err(
		    "config_problem", "text=%s", log_quoted(str_of(problems.list[i].text)).text);
	if (!c)
		err_set(err, -EINVAL, "the configuration is wrong");
	problems_fini(&problems);
	return c;
}

static int
apply(struct witness *w, struct witness_config *next, struct err *err)
{
	struct witness_table table;
	int code = check_fixed(w->config, next, err);

	if (!code)
		code = table_make(&table, next, err);
	if (code)
		return code;
	witness_table_inherit(&table, &w->table, witness_lease_ns(next->lease));
	table_fini(&w->table);
	w->table = table;
	if (service_log_use(&next->log, err) < 0)
		log_err("log_target_failed", "reason=%s", log_quoted(str_of(err->text)).text);
	return 0;
}

void
witness_reload(struct witness *w)
{
	struct witness_config *next;
	struct err err;

	sd_notify_reloading();
	next = read_again(w, &err);
	if (next && apply(w, next, &err) == 0) {
		witness_config_free(&w->config);
		w->config = next;
		log_notice("reloaded", "file=%s", log_quoted(str_of(w->file)).text);
	} else {
		witness_config_free(&next);
		log_err("reload_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	}
	sd_notify_ready();
}

void
witness_log_reopen(struct witness *w)
{
	struct err err;

	if (service_log_use(&w->config->log, &err) < 0)
		log_err("logs_reopen_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	else
		log_notice("logs_reopened", "pid=%d", getpid());
}

/* --- start and end --- */

/* An address of a family that this machine does not have is left out, if there is another one. */
static int
sockets_open(struct witness *w, struct err *err)
{
	const struct witness_socket_events events = { on_packet, w };

	for (uint32_t i = 0; i < w->config->n_listen; i++) {
		struct witness_socket *s =
		    witness_socket_open(w->loop, &w->config->listen[i], &events, err);

		if (!s && err->code != -EAFNOSUPPORT && err->code != -EADDRNOTAVAIL)
			return err->code;
		if (!s)
			log_warning(
			    "witness_deaf", "reason=%s", log_quoted(str_of(err->text)).text);
		else
			w->sockets[w->n_sockets++] = s;
	}
	return w->n_sockets ? 0 : err->code;
}

struct witness *
witness_start(
    struct ev_loop *loop, struct witness_config **config, const char *file, struct err *err)
{
	struct witness *w = calloc(1, sizeof(*w));

	if (!w) {
		err_set(err, -ENOMEM, "out of memory");
		witness_config_free(config);
		return NULL;
	}
	w->magic = WITNESS_MAGIC;
	w->loop = loop;
	w->file = file;
	w->config = *config;
	*config = NULL;
	service_timers_start(&w->service, w->loop);
	if (table_make(&w->table, w->config, err) < 0 || sockets_open(w, err) < 0 ||
	    http_start(w, err) < 0)
		witness_free(&w);
	else
		log_notice("witness_started", "pairs=%zu quiet_ms=%lld", w->table.n,
		    (long long)(witness_lease_ns(w->config->lease) / NS_PER_MS));
	return w;
}

void
witness_free(struct witness **wp)
{
	struct witness *w = *wp;

	*wp = NULL;
	if (!w)
		return;
	for (uint32_t i = 0; i < w->n_sockets; i++)
		witness_socket_close(&w->sockets[i]);
	admin_http_stop(&w->http);
	service_timers_stop(&w->service, w->loop);
	table_fini(&w->table);
	witness_config_free(&w->config);
	w->magic = 0;
	free(w);
}
