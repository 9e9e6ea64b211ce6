/*
 * engine.h - what all TLS connections of one worker share: an OpenSSL library context, and where bytes go.
 *
 * A library context of its own for each worker: OpenSSL 3.0 takes locks in what threads share.  The engine has
 * no socket: whoever has bytes of a connection points `in` at them, lets OpenSSL work, and sends what lies in
 * `out` afterwards.  So one BIO serves all connections, which cost no memory for it, and one recv can bring
 * many records.  Where the kernel can make records too, the BIO keeps the key that it could do so with (ktls.h).
 * The main thread makes it, the one that loads a configuration puts certificates
 * into its library context; all else is the worker's.
 */
#ifndef LBD_TLS_ENGINE_H
#define LBD_TLS_ENGINE_H

#include <openssl/ssl.h>

#include "common/err.h"
#include "common/str.h"

enum {
	TLS_IN_SIZE = 64 * 1024, /* of ciphertext in one read */
	TLS_WRITE_MAX = 64 * 1024, /* of plaintext in one tls_write */
	TLS_OUT_SIZE = TLS_WRITE_MAX + 16 * 1024, /* 128 records of 512 bytes, CBC and SHA384 */
	TLS_HELD_MAX = 1000 /* bytes of earlier records that may leave with them */
};

struct tls;

struct tls_engine {
	OSSL_LIB_CTX *lib;
	BIO_METHOD *method;
	BIO *bio;
	struct str in; /* received, not yet taken */
	size_t out_n; /* bytes in `out` to be sent */
	size_t out_keyed; /* from here on: sealed with the key that the connection at work keeps */
	unsigned ktls; /* kinds of keys that the kernel takes (ktls.h); 0: none */
	struct tls *current; /* the connection at work, for OpenSSL's callbacks */
	struct tls_upstream *upstreams; /* upstream.h; the main thread's */
	char *in_buffer; /* TLS_IN_SIZE, for whoever receives */
	char *out; /* TLS_OUT_SIZE, and TLS_HELD_MAX for whoever sends */
};

/* NULL with a reason. */
struct tls_engine *tls_engine_new(struct err *);
void tls_engine_free(struct tls_engine **);

/* The first of OpenSSL's errors as text, and forgets the others. */
void tls_error_text(char *text, size_t size);

#endif
