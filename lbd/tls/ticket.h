/*
 * ticket.h - keys of session tickets, made from a secret and the time: nobody has to tell anybody.
 *
 * Every node with the same secret has the same keys, before and after a restart.  A key seals tickets for
 * TLS_TICKET_PERIOD_S seconds and opens them for as long again; so does the next one already, since clocks
 * differ.  Each policy has keys of its own (client_policy.h), so that a ticket which was got under one is
 * worth nothing under another.
 */
#ifndef LBD_TLS_TICKET_H
#define LBD_TLS_TICKET_H

#include <openssl/evp.h>

#include "lbd/tls/client_policy.h"

enum { TLS_TICKET_PERIOD_S = 6 * 3600 };

struct tls_ticket_key {
	int64_t period; /* its number: seconds since 1970 / TLS_TICKET_PERIOD_S */
	unsigned char name[16]; /* stands in front of the ticket */
	unsigned char cipher[32], mac[32];
};

struct tls_ticket_keys {
	OSSL_LIB_CTX *lib;
	EVP_CIPHER *cipher; /* fetched once */
	struct str secret; /* owned */
	unsigned char policy[TLS_POLICY_SIZE];
	struct tls_ticket_key keys[3]; /* before, now, next */
};

/* Copies the secret.  0 or -ENOMEM. */
int tls_ticket_keys_init(struct tls_ticket_keys *, OSSL_LIB_CTX *, struct str secret,
    const unsigned char policy[TLS_POLICY_SIZE]);
void tls_ticket_keys_fini(struct tls_ticket_keys *);

/* For sealing at that time, in seconds since 1970.  NULL: OpenSSL cannot. */
const struct tls_ticket_key *tls_ticket_key_now(struct tls_ticket_keys *, int64_t now_s);

/* For opening; NULL: it is none of ours, or too old. */
const struct tls_ticket_key *
tls_ticket_key_named(struct tls_ticket_keys *, const unsigned char name[16], int64_t now_s);

/* For SSL_CTX_set_tlsext_ticket_key_evp_cb: sets both contexts up with that key.  False: OpenSSL cannot. */
bool tls_ticket_key_use(const struct tls_ticket_keys *, const struct tls_ticket_key *,
    const unsigned char *iv, EVP_CIPHER_CTX *, EVP_MAC_CTX *, bool seal);

#endif
