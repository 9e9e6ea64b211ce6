/*
 * shelf.h - all certificates that a configuration names, each read once, for whoever serves with them; and until when
 * the lists of revoked ones hold.
 *
 * Contexts take the certificates as they are and share them; each worker's keys are made anew in its own library
 * context, since OpenSSL takes locks in keys that threads share.  Made by one thread, then read-only.
 */
#ifndef LBD_TLS_SHELF_H
#define LBD_TLS_SHELF_H

#include "common/problems.h"
#include "lbd/tls/files.h"
#include "lbd/tls/ocsp.h"
#include "lbd/tls/revocation.h"

struct tls_shelf_entry {
	struct str certificate, key, ocsp; /* paths, owned; ocsp empty: none */
	uint32_t listener; /* the first that names it */
	struct tls_certificate loaded;
	struct tls_names names; /* in the certificate's order */
	struct tls_ocsp staple;
};

/* A file by which clients are refused. */
struct tls_shelf_revocations {
	struct str path; /* owned */
	uint32_t listener; /* the first that names it */
	struct tls_revocations lists;
};

struct tls_context;

struct tls_shelf {
	struct tls_shelf_entry *list; /* sorted by paths */
	uint32_t n;
	struct tls_shelf_revocations *revocations; /* sorted by paths */
	uint32_t n_revocations;
	const struct tls_files *files; /* borrowed, while contexts are made */
	struct tls_context **ready; /* context.h: one for each listener, engine by engine */
	uint32_t n_ready;
};

/* What cannot be used is a problem; NULL: there was one. */
struct tls_shelf *
tls_shelf_new(const struct lbd_config *, const struct tls_files *, struct problems *);
void tls_shelf_free(struct tls_shelf **);

/* Whoever needed contexts has them: the keys go, what certificates say stays. */
void tls_shelf_seal(struct tls_shelf *);

/* The entry of those files, which the configuration names. */
const struct tls_shelf_entry *
tls_shelf_find(const struct tls_shelf *, const struct tls_certificate_config *);

#endif
