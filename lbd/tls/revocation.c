/* revocation.c - one list after the other; of several the one that is over first decides. */
#include "lbd/tls/revocation.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <time.h>

#include "lbd/tls/engine.h"

/* One more list of that text; 1, 0 at its end, -1 if it is broken. */
static int
take_next(OSSL_LIB_CTX *lib, BIO *in, tls_revocations_take *take, void *arg)
{
	X509_CRL *list = X509_CRL_new_ex(lib, NULL);
	unsigned long e;
	bool taken;

	if (!list || !PEM_read_bio_X509_CRL(in, &list, NULL, NULL)) {
		X509_CRL_free(list);
		e = ERR_peek_last_error();
		if (ERR_GET_LIB(e) != ERR_LIB_PEM || ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
			return -1;
		ERR_clear_error();
		return 0;
	}
	taken = take(arg, list);
	X509_CRL_free(list);
	return taken ? 1 : -1;
}

int
tls_revocations_parse(
    OSSL_LIB_CTX *lib, struct tls_pem file, tls_revocations_take *take, void *arg, struct err *err)
{
	BIO *in = BIO_new_mem_buf(file.text.p, (int)file.text.n);
	char text[128];
	int more = in ? 1 : -1, n = -1;

	ERR_clear_error();
	for (; more > 0; n++)
		more = take_next(lib, in, take, arg);
	BIO_free(in);
	if (more < 0) {
		tls_error_text(text, sizeof(text));
		return err_set(err, -EINVAL,
		    "%.*s: holds a revocation list that cannot be read (%s)", STR_ARG(file.path),
		    text);
	}
	if (n == 0)
		return err_set(err, -EINVAL, "%.*s: holds no revocation list", STR_ARG(file.path));
	return 0;
}

static int64_t
seconds_of(const ASN1_TIME *time)
{
	struct tm tm;

	return time && ASN1_TIME_to_tm(time, &tm) ? (int64_t)timegm(&tm) : INT64_MAX;
}

static bool
note_time(void *arg, X509_CRL *list)
{
	struct tls_revocations *r = arg;
	int64_t until = seconds_of(X509_CRL_get0_nextUpdate(list));

	if (until >= r->until)
		return true;
	r->begun = seconds_of(X509_CRL_get0_lastUpdate(list));
	r->until = until;
	return true;
}

int
tls_revocations_load(struct tls_revocations *r, struct tls_pem file, struct err *err)
{
	*r = (struct tls_revocations){ .until = INT64_MAX };
	return tls_revocations_parse(NULL, file, note_time, r, err);
}
