/* engine.c - the library context and the BIO: reads from a slice, writes to a buffer. */
#include "lbd/tls/engine.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>

#include "lbd/tls/tls.h"

/* Not in OpenSSL's public headers beyond the list of numbers in bio.h; the same from 1.1.1 on. */
enum { BIO_CTRL_SET_KTLS = 72 };

static int
bio_read(BIO *bio, char *p, size_t n, size_t *got)
{
	struct tls_engine *e = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*got = n < e->in.n ? n : e->in.n;
	if (*got == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(p, e->in.p, *got);
	e->in = str_skip(e->in, *got);
	return 1;
}

/* Full: whoever drives the connection empties it and goes on. */
static int
bio_write(BIO *bio, const char *p, size_t n, size_t *put)
{
	struct tls_engine *e = BIO_get_data(bio);
	size_t room = TLS_OUT_SIZE - e->out_n;

	BIO_clear_retry_flags(bio);
	*put = n < room ? n : room;
	if (*put == 0) {
		BIO_set_retry_write(bio);
		return 0;
	}
	memcpy(e->out + e->out_n, p, *put);
	e->out_n += *put;
	return 1;
}

/* A key for sending; its first record is the next one.  It is not the BIO that seals with it, so: 0. */
static long
key_offered(struct tls_engine *e, const void *info)
{
	ktls_key_take(&e->current->key, info, e->ktls);
	e->out_keyed = e->out_n;
	return 0;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *p)
{
	if (command == BIO_CTRL_SET_KTLS && number)
		return key_offered(BIO_get_data(bio), p);
	return command == BIO_CTRL_FLUSH; /* all else: not here */
}

static int
bio_make(struct tls_engine *e)
{
	e->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lbd");
	if (!e->method || !BIO_meth_set_read_ex(e->method, bio_read) ||
	    !BIO_meth_set_write_ex(e->method, bio_write) || !BIO_meth_set_ctrl(e->method, bio_ctrl))
		return -ENOMEM;
	e->bio = BIO_new_ex(e->lib, e->method);
	if (!e->bio)
		return -ENOMEM;
	BIO_set_data(e->bio, e);
	BIO_set_init(e->bio, 1);
	return 0;
}

struct tls_engine *
tls_engine_new(struct err *err)
{
	struct tls_engine *e = calloc(1, sizeof(*e));

	if (e) {
		e->lib = OSSL_LIB_CTX_new();
		e->in_buffer = malloc(TLS_IN_SIZE);
		e->out = malloc(TLS_OUT_SIZE + TLS_HELD_MAX);
		if (e->lib && e->in_buffer && e->out && bio_make(e) == 0)
			return e;
	}
	err_set(err, -ENOMEM, "out of memory for TLS");
	tls_engine_free(&e);
	return NULL;
}

void
tls_engine_free(struct tls_engine **ep)
{
	struct tls_engine *e = *ep;

	*ep = NULL;
	if (!e)
		return;
	tls_upstreams_prune(e);
	BIO_free(e->bio);
	BIO_meth_free(e->method);
	OSSL_LIB_CTX_free(e->lib);
	free(e->in_buffer);
	free(e->out);
	free(e);
}

void
tls_error_text(char *text, size_t size)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	snprintf(text, size, "%s",
	    reason     ? reason
		: code ? "an error of OpenSSL"
		       : "no reason known");
	ERR_clear_error();
}
