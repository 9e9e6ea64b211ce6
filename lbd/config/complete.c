/* complete.c - defaults that depend on other keys or on this machine. */
#include "lbd/config/schema.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"

enum { CHECK_TIMEOUT_MS = 2000, MAX_OPEN_S = 300, HTTPS_PORT = 443 };

/* The CPUs that this process may use; 1 if the kernel has more than we can ask for. */
static uint32_t
count_cpus(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > CONFIG_WORKERS_MAX ? CONFIG_WORKERS_MAX : (uint32_t)n;
}

static void
complete_node(struct lbd_config *c, const char *given)
{
	char name[256] = "";

	if (!given && gethostname(name, sizeof(name) - 1) == 0)
		given = name;
	c->node = arena_str(c->arena, str_of(given ? given : "localhost"));
}

static void
complete_log(struct log_config *l)
{
	if (l->access_target != 0)
		return;
	l->access_target = l->target;
	l->access_path = l->path;
}

static struct str
address_text(struct arena *a, const struct address *address)
{
	char text[ADDRESS_TEXT_MAX];
	size_t n = address_format(address, text);

	return arena_str(a, (struct str){ text, n });
}

static struct str
hsts_value(struct arena *a, const struct hsts_config *h)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "max-age=%lld%s%s", (long long)(h->max_age / NS_PER_S),
	    h->include_subdomains ? "; includeSubDomains" : "", h->preload ? "; preload" : "");

	return arena_str(a, (struct str){ text, (size_t)n });
}

static void
complete_redirect(struct arena *a, struct redirect_config *r)
{
	char text[64], port[8] = "";
	struct err err;
	int n;

	if (r->port != HTTPS_PORT)
		snprintf(port, sizeof(port), ":%u", r->port);
	n = snprintf(text, sizeof(text), "https://{hostname}%s{uri}", port);
	template_new(
	    a, arena_str(a, (struct str){ text, (size_t)n }), VARIABLES_ALL, &r->location, &err);
}

static void
complete_listener(struct lbd_config *c, struct listener_config *l)
{
	struct str *texts = arena_alloc(c->arena, l->n_bind * sizeof(*texts));

	if (!texts)
		return;
	for (uint32_t i = 0; i < l->n_bind; i++)
		if (l->bind[i].len > 0)
			texts[i] = address_text(c->arena, &l->bind[i]);
	l->bind_text = texts;
	if (l->hsts.max_age)
		l->hsts_value = hsts_value(c->arena, &l->hsts);
	if (l->redirect.status)
		complete_redirect(c->arena, &l->redirect);
	if (l->name.n == 0 && l->n_bind > 0)
		l->name = texts[0];
}

/* "db:5432", "[::1]:443": what stands before the port, without brackets. */
static struct str
host_of(const struct server_config *s)
{
	struct str text = s->address_text;
	const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;

	if (!colon || s->address.sa.sa_family == AF_UNIX)
		return (struct str){ NULL, 0 };
	text.n = (size_t)(colon - text.p);
	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		return (struct str){ text.p + 1, text.n - 2 };
	return text;
}

/* Of a name, which was decoded well. */
static uint16_t
port_of(const struct server_config *s)
{
	struct str digits = str_skip(s->address_text, s->host.n + 1);
	unsigned port = 0;

	for (size_t i = 0; i < digits.n; i++)
		port = 10 * port + (unsigned)(digits.p[i] - '0');
	return (uint16_t)port;
}

static void
complete_server(struct server_config *s)
{
	s->host = host_of(s);
	if (server_is_named(s) && s->host.n)
		s->port = port_of(s);
	if (s->name.n == 0)
		s->name = s->address_text;
}

/*
 * What a client's certificate says is not for clients to say, at whatever listener: pools may serve several.
 */
static void
complete_reserved(struct lbd_config *c)
{
	struct str *names =
	    arena_alloc(c->arena, c->n_listeners * TLS_PEER_VALUES * sizeof(*names));

	c->reserved = names;
	for (uint32_t i = 0; names && i < c->n_listeners; i++)
		for (int j = 0; j < TLS_PEER_VALUES; j++)
			if (c->listeners[i].tls.client_headers.name[j].n)
				names[c->n_reserved++] = c->listeners[i].tls.client_headers.name[j];
}

/* The only one that listeners have; none if they have several. */
static struct str
ticket_secret_file(const struct lbd_config *c)
{
	struct str only = { NULL, 0 };

	for (uint32_t i = 0; i < c->n_listeners; i++) {
		struct str file = c->listeners[i].tls.ticket_secret_file;

		if (only.n && file.n && !str_eq(only, file))
			return (struct str){ NULL, 0 };
		if (file.n)
			only = file;
	}
	return only;
}

static void
complete_breaker(struct breaker_config *b)
{
	if (b->open && b->max_open == 0)
		b->max_open = b->open > MAX_OPEN_S * NS_PER_S ? b->open : MAX_OPEN_S * NS_PER_S;
}

static void
complete_pool(const struct lbd_config *c, struct pool_config *p)
{
	config_hash_key_parse(p->hash_key, &p->hash_by, &p->hash_name);
	if (p->stickiness.type && p->stickiness.secret_file.n == 0)
		p->stickiness.secret_file = ticket_secret_file(c);
	complete_breaker(&p->breaker);
	if (p->health.timeout == 0) {
		p->health.timeout = CHECK_TIMEOUT_MS * NS_PER_MS;
		if (p->health.interval && p->health.interval < p->health.timeout)
			p->health.timeout = p->health.interval;
	}
	for (uint32_t i = 0; i < p->n_servers; i++)
		complete_server(&p->servers[i]);
}

void
config_complete(struct lbd_config *c, const struct config_options *options)
{
	if (c->workers == 0)
		c->workers = options->cpus ? options->cpus : count_cpus();
	complete_node(c, options->node);
	complete_log(&c->log);
	for (uint32_t i = 0; i < c->n_listeners; i++)
		complete_listener(c, &c->listeners[i]);
	complete_reserved(c);
	for (uint32_t i = 0; i < c->n_pools; i++)
		complete_pool(c, &c->pools[i]);
}
