/* contents.c - from file to file in the order of the configuration; the digest goes on where that of the text ended. */
#include "lbd/config/contents.h"

#include <errno.h>
#include <openssl/evp.h>

#include "lbd/config/schema.h"

struct taking {
	struct lbd_config *config;
	struct str (*find)(const void *files, struct str path);
	const void *files;
	EVP_MD_CTX *digest;
	bool any, failed;
};

static void
digest_add(struct taking *t, struct str content)
{
	uint64_t n = content.n;

	t->any = true;
	t->failed |= EVP_DigestUpdate(t->digest, &n, sizeof(n)) != 1 ||
	    EVP_DigestUpdate(t->digest, content.p, content.n) != 1;
}

static void
take_file(struct taking *t, struct str path)
{
	if (path.n)
		digest_add(t, t->find(t->files, path));
}

/* The end of its last line does not matter. */
static void
take_secret(struct taking *t, struct str path)
{
	struct str secret;

	if (path.n == 0)
		return;
	secret = t->find(t->files, path);
	while (secret.n && (secret.p[secret.n - 1] == '\n' || secret.p[secret.n - 1] == '\r'))
		secret.n--;
	digest_add(t, secret);
}

static void
take_page(struct taking *t, struct page_config *page)
{
	if (page->path.n == 0)
		return;
	page->body = arena_str(t->config->arena, t->find(t->files, page->path));
	digest_add(t, page->body);
}

static void
take_pages(struct taking *t, const struct pages_config *pages)
{
	for (uint32_t i = 0; i < pages->n; i++)
		take_page(t, &pages->list[i]);
}

static void
take_listener(struct taking *t, const struct listener_config *l)
{
	for (uint32_t i = 0; i < l->tls.n_certificates; i++)
		take_file(t, l->tls.certificates[i].certificate);
	take_file(t, l->tls.client_ca);
	take_file(t, l->tls.client_crl);
	take_secret(t, l->tls.ticket_secret_file);
	take_pages(t, &l->error_pages);
}

static void
take_pool(struct taking *t, struct pool_config *p)
{
	take_secret(t, p->stickiness.secret_file);
	if (p->tls.verify)
		take_file(t, p->tls.ca);
	take_file(t, p->tls.certificate);
	take_pages(t, &p->error_pages);
	take_page(t, &p->maintenance_page);
}

/* A configuration without files keeps the digest of its text. */
static void
take_all(struct taking *t)
{
	struct lbd_config *c = t->config;
	unsigned char hash[EVP_MAX_MD_SIZE];

	t->failed = EVP_DigestInit_ex(t->digest, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(t->digest, c->digest, sizeof(c->digest)) != 1;
	for (uint32_t i = 0; i < c->n_listeners; i++)
		take_listener(t, &c->listeners[i]);
	for (uint32_t i = 0; i < c->n_pools; i++)
		take_pool(t, &c->pools[i]);
	t->failed |= EVP_DigestFinal_ex(t->digest, hash, NULL) != 1;
	if (t->any && !t->failed)
		config_digest_write(hash, c->digest);
}

int
config_contents_take(
    struct lbd_config *c, struct str (*find)(const void *files, struct str path), const void *files)
{
	struct taking t = { .config = c, .find = find, .files = files, .digest = EVP_MD_CTX_new() };

	if (!t.digest)
		return -ENOMEM;
	take_all(&t);
	EVP_MD_CTX_free(t.digest);
	return t.failed || arena_failed(c->arena) ? -ENOMEM : 0;
}
