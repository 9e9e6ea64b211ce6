/* ocsp.c - finds the certificate in the response, and checks who signed it. */
#include "lbd/tls/ocsp.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <time.h>

static int
refuse(struct err *err, struct str path, const char *what)
{
	ERR_clear_error();
	return err_set(err, -EINVAL, "%.*s: %s", STR_ARG(path), what);
}

/* NULL: there is none in the chain, or it says that it signed itself. */
static X509 *
issuer_of(const struct tls_certificate *c)
{
	return sk_X509_num(c->chain) > 0 ? sk_X509_value(c->chain, 0) : NULL;
}

/* Without the issuer, its number must do. */
static bool
is_about(const OCSP_SINGLERESP *single, const struct tls_certificate *c)
{
	OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single), *own;
	ASN1_OBJECT *digest;
	ASN1_INTEGER *serial;
	X509 *issuer = issuer_of(c);
	bool same;

	if (!OCSP_id_get0_info(NULL, &digest, NULL, &serial, id) ||
	    ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(c->leaf)) != 0)
		return false;
	if (!issuer)
		return true;
	own = OCSP_cert_to_id(EVP_get_digestbyobj(digest), c->leaf, issuer);
	same = own && OCSP_id_cmp(id, own) == 0;
	OCSP_CERTID_free(own);
	return same;
}

static OCSP_SINGLERESP *
single_find(OCSP_BASICRESP *basic, const struct tls_certificate *c)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

		if (is_about(single, c))
			return single;
	}
	return NULL;
}

/* The issuer, or one whom it lets sign. */
static bool
is_signed(OCSP_BASICRESP *basic, const struct tls_certificate *c)
{
	X509 *issuer = issuer_of(c);
	X509_STORE *store = X509_STORE_new();
	bool good = false;

	if (store && X509_STORE_add_cert(store, issuer) == 1) {
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
		good = OCSP_basic_verify(basic, c->chain, store, 0) == 1;
	}
	X509_STORE_free(store);
	return good;
}

static int64_t
seconds_of(const ASN1_GENERALIZEDTIME *time)
{
	struct tm tm;

	return time && ASN1_TIME_to_tm(time, &tm) ? (int64_t)timegm(&tm) : INT64_MAX;
}

static int
basic_take(struct tls_ocsp *o, OCSP_BASICRESP *basic, const struct tls_certificate *c,
    struct str path, struct err *err)
{
	OCSP_SINGLERESP *single = single_find(basic, c);
	ASN1_GENERALIZEDTIME *next = NULL;

	if (!single)
		return refuse(err, path, "the OCSP response is not about the certificate");
	if (issuer_of(c) && !is_signed(basic, c))
		return refuse(
		    err, path, "the OCSP response is not signed by the certificate's issuer");
	o->revoked =
	    OCSP_single_get0_status(single, NULL, NULL, NULL, &next) == V_OCSP_CERTSTATUS_REVOKED;
	o->until = seconds_of(next);
	return 0;
}

static int
response_take(struct tls_ocsp *o, OCSP_RESPONSE *response, const struct tls_certificate *c,
    struct str path, struct err *err)
{
	OCSP_BASICRESP *basic;
	int code;

	if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return refuse(err, path, "the OCSP response says that it is none");
	basic = OCSP_response_get1_basic(response);
	if (!basic)
		return refuse(err, path, "the OCSP response is of a kind that lbd does not know");
	code = basic_take(o, basic, c, path, err);
	OCSP_BASICRESP_free(basic);
	return code;
}

int
tls_ocsp_load(
    struct tls_ocsp *o, const struct tls_certificate *c, struct tls_pem file, struct err *err)
{
	const unsigned char *p = (const unsigned char *)file.text.p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)file.text.n);
	int code;

	*o = (struct tls_ocsp){ .until = INT64_MAX };
	if (!response)
		return refuse(err, file.path, "holds no OCSP response in DER");
	code = response_take(o, response, c, file.path, err);
	OCSP_RESPONSE_free(response);
	if (!code) {
		o->response = file.text;
		code = tls_ocsp_copy(o, o);
	}
	if (code == -ENOMEM)
		err_set(err, code, "out of memory for TLS");
	return code;
}

int
tls_ocsp_copy(struct tls_ocsp *to, const struct tls_ocsp *from)
{
	struct str response = from->response;

	*to = *from;
	to->response = (struct str){ NULL, 0 };
	if (response.n == 0)
		return 0;
	to->response.p = OPENSSL_memdup(response.p, response.n);
	if (!to->response.p)
		return -ENOMEM;
	to->response.n = response.n;
	return 0;
}

void
tls_ocsp_fini(struct tls_ocsp *o)
{
	OPENSSL_free((void *)(uintptr_t)o->response.p);
	*o = (struct tls_ocsp){ .until = 0 };
}
