/* shelf.c - paths, sorted, each once; then what is in the files. */
#include "lbd/tls/shelf.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "lbd/tls/context.h"

static int
path_compare(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int rc = n ? memcmp(a.p, b.p, n) : 0;

	return rc ? rc : (a.n > b.n) - (a.n < b.n);
}

static int
pair_compare(const void *a, const void *b)
{
	const struct tls_shelf_entry *x = a, *y = b;
	int rc = path_compare(x->certificate, y->certificate);

	if (rc == 0)
		rc = path_compare(x->key, y->key);
	return rc ? rc : path_compare(x->ocsp, y->ocsp);
}

/* Of equal pairs the one of the first listener is kept. */
static int
entry_compare(const void *a, const void *b)
{
	const struct tls_shelf_entry *x = a, *y = b;
	int rc = pair_compare(a, b);

	return rc ? rc : (x->listener > y->listener) - (x->listener < y->listener);
}

static uint32_t
count(const struct lbd_config *config)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < config->n_listeners; i++)
		n += config->listeners[i].tls.n_certificates;
	return n;
}

/* Paths are still the configuration's. */
static void
collect(struct tls_shelf *s, const struct lbd_config *config)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < config->n_listeners; i++)
		for (uint32_t j = 0; j < config->listeners[i].tls.n_certificates; j++) {
			const struct tls_certificate_config *c =
			    &config->listeners[i].tls.certificates[j];
			struct tls_shelf_entry *e = &s->list[n++];

			e->certificate = c->certificate;
			e->key = c->key;
			e->ocsp = c->ocsp;
			e->listener = i;
		}
	qsort(s->list, n, sizeof(*s->list), entry_compare);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || pair_compare(&s->list[kept - 1], &s->list[i]) != 0)
			s->list[kept++] = s->list[i];
	s->n = kept;
}

static int
revocations_compare(const void *a, const void *b)
{
	const struct tls_shelf_revocations *x = a, *y = b;
	int rc = path_compare(x->path, y->path);

	return rc ? rc : (x->listener > y->listener) - (x->listener < y->listener);
}

/* Likewise. */
static void
revocations_collect(struct tls_shelf *s, const struct lbd_config *config)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < config->n_listeners; i++) {
		const struct tls_config *tls = &config->listeners[i].tls;

		if (tls->client_verify != TLS_VERIFY_OFF && tls->client_crl.n)
			s->revocations[n++] =
			    (struct tls_shelf_revocations){ .path = tls->client_crl,
				    .listener = i };
	}
	qsort(s->revocations, n, sizeof(*s->revocations), revocations_compare);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || !str_eq(s->revocations[kept - 1].path, s->revocations[i].path))
			s->revocations[kept++] = s->revocations[i];
	s->n_revocations = kept;
}

static int
revocations_fill(struct tls_shelf_revocations *r, const struct tls_files *files, struct err *err)
{
	struct str path = r->path;

	r->path.p = strndup(path.p, path.n);
	if (!r->path.p)
		return err_set(err, -ENOMEM, "out of memory for TLS");
	return tls_revocations_load(
	    &r->lists, (struct tls_pem){ path, tls_files_find(files, path) }, err);
}

static int
entry_fill(struct tls_shelf_entry *e, const struct tls_files *files, struct err *err)
{
	struct str certificate = e->certificate, key = e->key, ocsp = e->ocsp;
	int code;

	e->certificate = (struct str){ strndup(certificate.p, certificate.n), certificate.n };
	e->key = (struct str){ strndup(key.p, key.n), key.n };
	e->ocsp = (struct str){ strndup(ocsp.n ? ocsp.p : "", ocsp.n), ocsp.n };
	if (!e->certificate.p || !e->key.p || !e->ocsp.p)
		return err_set(err, -ENOMEM, "out of memory for TLS");
	code = tls_certificate_load(&e->loaded, NULL,
	    (struct tls_pem){ certificate, tls_files_find(files, certificate) },
	    (struct tls_pem){ key, tls_files_find(files, key) }, err);
	if (!code && tls_certificate_names(&e->loaded, &e->names, 0) < 0)
		code = err_set(err, -ENOMEM, "out of memory for TLS");
	if (!code && ocsp.n)
		code = tls_ocsp_load(&e->staple, &e->loaded,
		    (struct tls_pem){ ocsp, tls_files_find(files, ocsp) }, err);
	return code;
}

static void
fill(struct tls_shelf *s, struct problems *problems)
{
	struct err err;

	for (uint32_t i = 0; i < s->n; i++)
		if (entry_fill(&s->list[i], s->files, &err) < 0)
			problems_add(
			    problems, 0, "listeners[%u].tls: %s", s->list[i].listener, err.text);
	for (uint32_t i = 0; i < s->n_revocations; i++)
		if (revocations_fill(&s->revocations[i], s->files, &err) < 0)
			problems_add(problems, 0, "listeners[%u].tls: %s",
			    s->revocations[i].listener, err.text);
}

struct tls_shelf *
tls_shelf_new(
    const struct lbd_config *config, const struct tls_files *files, struct problems *problems)
{
	struct tls_shelf *s = calloc(1, sizeof(*s));
	size_t known = problems->n;
	uint32_t n = count(config);

	if (s) {
		s->list = calloc(n ? n : 1, sizeof(*s->list));
		s->revocations = calloc(config->n_listeners, sizeof(*s->revocations));
	}
	if (!s || !s->list || !s->revocations) {
		problems_add(problems, 0, "out of memory for TLS");
		tls_shelf_free(&s);
		return NULL;
	}
	s->files = files;
	collect(s, config);
	revocations_collect(s, config);
	fill(s, problems);
	if (problems->n > known)
		tls_shelf_free(&s);
	return s;
}

void
tls_shelf_free(struct tls_shelf **sp)
{
	struct tls_shelf *s = *sp;

	*sp = NULL;
	if (s)
		tls_contexts_forget(s);
	for (uint32_t i = 0; s && i < s->n; i++) {
		free((void *)(uintptr_t)s->list[i].certificate.p);
		free((void *)(uintptr_t)s->list[i].key.p);
		free((void *)(uintptr_t)s->list[i].ocsp.p);
		tls_certificate_fini(&s->list[i].loaded);
		tls_ocsp_fini(&s->list[i].staple);
		tls_names_fini(&s->list[i].names);
	}
	for (uint32_t i = 0; s && i < s->n_revocations; i++)
		free((void *)(uintptr_t)s->revocations[i].path.p);
	if (s) {
		free(s->list);
		free(s->revocations);
	}
	free(s);
}

void
tls_shelf_seal(struct tls_shelf *s)
{
	tls_contexts_forget(s);
	s->files = NULL;
	for (uint32_t i = 0; i < s->n; i++) {
		EVP_PKEY_free(s->list[i].loaded.key);
		s->list[i].loaded.key = NULL;
	}
}

const struct tls_shelf_entry *
tls_shelf_find(const struct tls_shelf *s, const struct tls_certificate_config *c)
{
	const struct tls_shelf_entry wanted = {
		.certificate = c->certificate, .key = c->key, .ocsp = c->ocsp
	};
	const struct tls_shelf_entry *found =
	    bsearch(&wanted, s->list, s->n, sizeof(*s->list), pair_compare);

	CHECK(found);
	return found;
}
