/*
 * config.h - the configuration of lbd, decoded: an immutable snapshot.
 *
 * Loaded by config_load from the text of lbd.json, shared by all threads, reference-counted,
 * freed as one arena.  Every default is filled in, every name is resolved to an index,
 * everything is in range.  Durations are nanoseconds, sizes bytes.  Keys and meanings:
 * lbd.json(5).
 */
#ifndef LBD_CONFIG_CONFIG_H
#define LBD_CONFIG_CONFIG_H

#include "common/address.h"
#include "common/log.h"
#include "lbd/balance/balancer.h"
#include "lbd/config/affinity_config.h"
#include "lbd/config/pages.h"
#include "lbd/config/route_config.h"
#include "lbd/config/tls_config.h"
#include "lbd/http/h1_parse.h"

struct problems;

enum access_format { ACCESS_OFF, ACCESS_JSON, ACCESS_COMBINED };

struct log_config {
	int level; /* syslog priority: LOG_ERR .. LOG_DEBUG */
	enum log_sink_type target;
	struct str path; /* with LOG_SINK_FILE */
	enum access_format access_format;
	enum log_sink_type access_target;
	struct str access_path;
};

struct admin_config {
	struct str socket;
	bool http_on;
	struct address http;
};

struct limits_config {
	uint32_t connections; /* client connections, over all workers */
	uint32_t connections_per_client; /* 0: no limit */
	struct client_prefix client_prefix; /* for that */
	struct http_limits request; /* limits.headers, header_size, uri_size */
	uint64_t body_size; /* of a request; 0: no limit */
	uint32_t server_idle; /* idle connections kept per server and worker */
	uint32_t tls_handshakes; /* at once, over all workers; further ones wait */
};

struct timeouts_config {
	int64_t client_header, client_idle, client_body, connect, response, server_idle, queue,
	    tunnel, client_fin, server_fin, tcp_keepalive /* 0: none */, drain, tls_handshake;
};

enum resolver_family { RESOLVER_ANY, RESOLVER_IPV4, RESOLVER_IPV6 };

/* How names of servers are looked up. */
struct resolver_config {
	const struct address *servers; /* none: those of /etc/resolv.conf */
	uint32_t n_servers;
	bool hosts; /* /etc/hosts goes first */
	enum resolver_family family;
	int64_t min_ttl, max_ttl; /* bounds to what answers say */
	int64_t hold; /* an address that is in no answer any more is kept for so long */
	int64_t timeout; /* of a question's first try */
	uint32_t attempts;
	struct str state_file; /* keeps what is known over a restart; or "off" */
};

enum listener_protocol { LISTENER_HTTP, LISTENER_TCP };

/* Where proxies that are trusted say whom they speak for. */
enum forwarded_from { FROM_X_FORWARDED_FOR, FROM_FORWARDED };

struct forwarded_config {
	const struct network *trust; /* whose fields are kept and added to */
	uint32_t n_trust;
	const struct network_tree *trusted; /* the same; NULL: nobody */
	enum forwarded_from client_from;
	bool x_forwarded, rfc7239;
};

/* Whose connections begin with a PROXY header. */
struct proxied_config {
	bool all;
	const struct network *from; /* unless all: those of these networks */
	uint32_t n_from;
};

/* To the same host and target over TLS. */
struct redirect_config {
	uint16_t status; /* 0: requests are served */
	uint16_t port;
	const struct template *location; /* derived from it */
};

/* RFC 6797. */
struct hsts_config {
	int64_t max_age; /* 0: nothing is said */
	bool include_subdomains, preload;
};

struct listener_config {
	struct str name;
	const struct address *bind;
	const struct str *bind_text; /* the same, as address_format writes them */
	uint32_t n_bind;
	enum listener_protocol protocol;
	struct str pool_name; /* empty: none, with TCP routes alone */
	uint32_t pool; /* index into lbd_config.pools */
	bool peeks; /* TCP: what name a client asks for is to be known before it is routed */
	uint32_t id; /* for statistics; set by whoever adopts the snapshot, before sharing it */
	struct route_config *routes;
	uint32_t n_routes;
	const struct router *router; /* of these; NULL: none, all goes to the pool */
	struct header_edits request_headers, response_headers; /* before those of routes */
	struct access_config access;
	struct rate_limit_config rate_limit; /* beside those of routes */
	bool guarded; /* any of these: each request is looked at */
	struct forwarded_config forwarded;
	struct proxied_config proxied;
	struct pages_config error_pages;
	bool http2; /* without TLS: from clients that know it; with TLS, ALPN decides */
	struct tls_config tls; /* n_certificates 0: plain */
	struct redirect_config redirect;
	struct hsts_config hsts;
	struct str hsts_value; /* of the field; empty: none */
};

enum check_type { CHECK_NONE, CHECK_TCP, CHECK_HTTP, CHECK_HTTPS };

/* What becomes of connections in TCP mode to a server that is found down. */
enum on_down { ON_DOWN_KEEP, ON_DOWN_CLOSE };

struct health_config {
	enum check_type type;
	struct str path, host; /* host empty: the server's address */
	const uint16_t *expect_status;
	uint32_t n_expect_status;
	struct str send, expect; /* of type tcp; empty: nothing */
	struct str send_hex, expect_hex; /* the same, for bytes that are no text */
	int64_t interval, timeout;
	uint32_t fall, rise;
	uint16_t port; /* 0: the server's own */
	enum on_down on_down;
};

struct server_config {
	struct str name; /* default: the address as written */
	struct str of; /* of members of a name, one behind the other: that; else empty */
	struct str address_text;
	struct str host; /* of that, without the port; empty: a unix socket */
	struct address
	    address; /* len 0: that of a name, which has members in its place (members.h) */
	uint16_t port; /* of a name */
	bool late; /* it came to a name that has others: no requests before its first check */
	uint32_t resolve_max; /* addresses of a name */
	uint32_t weight;
	uint32_t max_connections; /* exchanges at once, over all workers; 0: no limit */
	bool backup; /* gets requests only when no other is available */
	uint32_t
	    slot; /* in the server table; set by whoever adopts the snapshot, before sharing it */
	uint32_t id; /* for statistics, likewise */
};

static inline bool
server_is_named(const struct server_config *s)
{
	return s->address.len == 0;
}

enum retry_on {
	RETRY_CONNECT_FAILURE = 1,
	RETRY_RESET = 2,
	RETRY_TIMEOUT = 4,
	RETRY_502 = 8,
	RETRY_503 = 16,
	RETRY_504 = 32
};

struct retry_config {
	uint32_t attempts; /* tries after the first */
	unsigned on; /* bits of enum retry_on */
	bool non_idempotent;
	uint32_t budget_percent; /* of the requests of ten seconds */
	uint32_t budget_min; /* however few those were */
	int64_t per_try_timeout; /* 0: none */
};

struct queue_config {
	uint32_t size; /* requests that wait, over all workers; 0: no limit */
};

struct pool_config {
	struct str name;
	enum balance_algorithm algorithm;
	struct str hash_key; /* as written; what it means: */
	enum hash_key hash_by;
	struct str hash_name; /* of the header or cookie */
	uint32_t hash_balance_factor; /* percent; 0: no bound */
	struct stickiness_config stickiness;
	struct server_config *servers;
	uint32_t n_servers;
	const struct server_config **unresolved; /* names without an address */
	uint32_t n_unresolved;
	uint32_t id; /* for statistics, as a listener's */
	struct health_config health;
	struct retry_config retry;
	struct breaker_config breaker; /* open 0: none */
	int64_t slow_start; /* 0: none */
	struct queue_config queue;
	struct tls_server_config tls;
	bool http2; /* servers speak it; with TLS, if they say so */
	struct pages_config error_pages; /* before those of the listener */
	struct page_config maintenance_page; /* where all servers are in maintenance */
	uint16_t proxy_header; /* version that connections to servers begin with; 0: none */
};

struct lbd_config {
	uint32_t workers; /* resolved: never 0 */
	struct str user; /* empty: stay who we are */
	struct str node; /* --node or the host name */
	struct log_config log;
	struct admin_config admin;
	struct limits_config limits;
	struct timeouts_config timeouts;
	struct resolver_config resolver;
	struct listener_config *listeners;
	uint32_t n_listeners;
	struct pool_config *pools;
	uint32_t n_pools;
	const struct str *reserved; /* fields that lbd alone may write: all client_headers */
	uint32_t n_reserved;
	char digest[17]; /* hex; over what decides behaviour, not paths of logs; contents.h */
	struct arena *arena; /* all of this lies in it */
	/* private: config.c */
	struct lbd_config *original; /* of a copy; else NULL */
	_Atomic uint32_t references;
};

struct config_options {
	const char *file; /* its name in messages */
	const char *node; /* NULL: the host name */
	uint32_t cpus; /* default of `workers`; 0: the CPUs that this process may use */
};

enum {
	CONFIG_SIZE_MAX = 16 << 20, /* bytes of a file */
	CONFIG_WORKERS_MAX = 256,
	CONFIG_LISTENERS_MAX = 1000,
	CONFIG_POOLS_MAX = 4000,
	CONFIG_ROUTES_MAX = 100000, /* of a listener */
	CONFIG_RESOLVE_MAX = 64, /* addresses of a name */
	CONFIG_MEMBER_MAX = 1 + 39, /* bytes of "#ADDRESS", which a member's name has in addition */
	CONFIG_KEY_MAX = 120 /* bytes of "pool/server", and of every other name */
};

/*
 * NULL when anything is wrong: *problems then says everything that is.  The caller owns one
 * reference.
 */
struct lbd_config *config_load(struct str text, const struct config_options *, struct problems *);

/*
 * The same once more, with listeners, pools and servers that may be changed before it is shared; what they point to
 * stays the original's.  NULL: out of memory.
 */
struct lbd_config *config_copy(struct lbd_config *);

struct lbd_config *config_ref(struct lbd_config *);
void config_unref(struct lbd_config **);

/* A server has a name instead of an address. */
bool config_has_names(const struct lbd_config *);

/*
 * The effective configuration as JSON text that parses to itself.  The caller frees it; NULL:
 * out of memory.
 */
char *config_print(const struct lbd_config *);

#endif
