/*
 * upstream.h - the TLS of a pool as one worker uses it: how lbd speaks to servers, and whom it believes.
 *
 * Pools with the same settings and the same files share one, also across reloads: it is known by a digest
 * of all that.  The main thread makes it; each snapshot and each connection hold a reference, and the main
 * thread frees what nobody holds.  A target is one server behind it: the name that its certificate must have,
 * and the session that its last connection left for the next one.
 */
#ifndef LBD_TLS_UPSTREAM_H
#define LBD_TLS_UPSTREAM_H

#include "lbd/tls/engine.h"
#include "lbd/tls/files.h"

enum { TLS_DIGEST_SIZE = 32 };

struct tls_upstream {
	struct tls_upstream *next; /* of the engine */
	_Atomic uint32_t references;
	unsigned char digest[TLS_DIGEST_SIZE];
	struct tls_engine *engine;
	SSL_CTX *ctx;
	bool verify;
	struct str server_name; /* owned; empty: the target's own */
};

/*
 * Main thread.  With `http2` that is offered before HTTP/1.1.  NULL with a reason, which names the file that
 * is at fault.
 */
struct tls_upstream *tls_upstream_get(struct tls_engine *, const struct tls_server_config *,
    bool http2, const struct tls_files *, struct err *);
struct tls_upstream *tls_upstream_ref(struct tls_upstream *);
void tls_upstream_unref(struct tls_upstream **);

/* Main thread: frees those that nobody refers to. */
void tls_upstreams_prune(struct tls_engine *);

/* Whatever is wrong with the files of a pool is a problem. */
void tls_upstreams_try(
    struct tls_engine *, const struct lbd_config *, const struct tls_files *, struct problems *);

/* For a server of that name or address: SNI, and what its certificate must say.  NULL: out of memory. */
SSL *tls_upstream_ssl(const struct tls_upstream *, struct str host);

struct tls_target {
	struct tls_upstream *tls; /* NULL: plain */
	struct str host; /* owned */
	SSL_SESSION *session; /* NULL: none yet */
	uint32_t epoch; /* sessions of connections from before a change are not kept */
};

/* What is remembered is forgotten if either differs.  0 or -ENOMEM: it remains as it was. */
int tls_target_set(struct tls_target *, struct tls_upstream *, struct str host);
bool tls_target_is(const struct tls_target *, const struct tls_upstream *, struct str host);
void tls_target_fini(struct tls_target *);

#endif
