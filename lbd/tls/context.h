/*
 * context.h - the TLS of one listener as one worker uses it: certificates by name, policy.
 *
 * For each host name there is a set of certificates, at most one of each kind of key, and an SSL_CTX that has
 * them; OpenSSL chooses among those by what the client can verify.  Names of which nobody knows anything get
 * the first certificate of the configuration.  Built by the thread that loads a configuration; a snapshot holds
 * one reference, each connection another, so that a reload leaves connections with what they have.
 */
#ifndef LBD_TLS_CONTEXT_H
#define LBD_TLS_CONTEXT_H

#include "lbd/tls/client_policy.h"
#include "lbd/tls/engine.h"
#include "lbd/tls/names.h"
#include "lbd/tls/shelf.h"
#include "lbd/tls/ticket.h"

/* Certificates that are offered together. */
struct tls_set {
	SSL_CTX *ctx;
	struct tls_names
	    names; /* of any of them: hosts that may be asked for on such a connection */
	X509 *leaves[TLS_KEY_KINDS]; /* NULL: none of that kind; the context's */
	struct tls_ocsp staples[TLS_KEY_KINDS];
};

struct tls_context {
	_Atomic uint32_t references;
	struct tls_engine *engine;
	struct tls_names names; /* to the number of a set */
	struct tls_set *sets; /* the first is for all other names */
	uint32_t n_sets;
	unsigned char alpn[ALPN_MAX]; /* what we speak, as on the wire, best first */
	unsigned alpn_n;
	bool check_host;
	struct tls_client_policy clients;
	struct tls_ticket_keys tickets;
};

/*
 * Appends the contexts of all listeners for that engine (NULL: they have none) to shelf->ready; in any thread.  0 or
 * -errno with a reason.  Forgotten at the latest when the shelf is freed.
 */
int tls_contexts_prepare(
    struct tls_shelf *, struct tls_engine *, const struct lbd_config *, struct err *);
void tls_contexts_forget(struct tls_shelf *);

struct tls_context *tls_context_ref(struct tls_context *);
void tls_context_unref(struct tls_context **);

/* Do both let in the same clients? */
bool tls_context_alike(const struct tls_context *, const struct tls_context *);

/*
 * Reads all files that the configuration names, and tries what they are good for: whatever is wrong with them is
 * a problem.  `before`: the files that were used until now, or NULL.
 */
void tls_files_load(struct tls_files *, const struct lbd_config *, const struct tls_files *before,
    struct problems *);

#endif
