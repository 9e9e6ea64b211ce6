/*
 * config.c - from text to snapshot: parse, decode, complete, validate, digest; then count
 * references.
 *
 * The snapshot lies in its own arena, which the last config_unref frees.
 */
#include "lbd/config/config.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/daemon_kinds.h"
#include "lbd/config/schema.h"

static struct lbd_config *
config_new(void)
{
	struct arena *a = arena_new();
	struct lbd_config *c = a ? arena_alloc(a, sizeof(*c)) : NULL;

	if (!c) {
		arena_free(&a);
		return NULL;
	}
	c->arena = a;
	atomic_init(&c->references, 1);
	return c;
}

static void
decode(struct lbd_config *c, struct str text, const struct config_options *options,
    struct problems *problems)
{
	struct config_options context = *options;
	struct json_decoder d = {
		.file = options->file,
		.problems = problems,
		.arena = c->arena,
		.context = &context,
	};

	if (json_config_open(&d, text) == 0) {
		json_config_decode(&d, config_fields, c);
		config_complete(c, options);
		if (!arena_failed(c->arena))
			config_validate(c, &d);
	}
	json_config_close(&d);
	problems_sort(problems);
}

struct lbd_config *
config_load(struct str text, const struct config_options *options, struct problems *problems)
{
	struct lbd_config *c = config_new();
	size_t before = problems->n;

	if (!c) {
		problems_add(problems, 0, "%s: out of memory", options->file);
		return NULL;
	}
	decode(c, text, options, problems);
	if (problems->n == before && (arena_failed(c->arena) || config_digest(c, c->digest) < 0))
		problems_add(problems, 0, "%s: out of memory", options->file);
	if (problems->n > before)
		config_unref(&c);
	return c;
}

struct lbd_config *
config_ref(struct lbd_config *c)
{
	atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
	return c;
}

void
config_unref(struct lbd_config **cp)
{
	struct lbd_config *c = *cp, *original;
	struct arena *a;
	uint32_t before;

	*cp = NULL;
	if (!c)
		return;
	before = atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel);
	CHECK(before > 0);
	if (before > 1)
		return;
	a = c->arena;
	original = c->original;
	arena_free(&a);
	config_unref(&original);
}

static void *
array_copy(struct arena *a, const void *from, size_t n, size_t size)
{
	void *to = arena_alloc(a, n * size);

	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

struct lbd_config *
config_copy(struct lbd_config *of)
{
	struct lbd_config *c = config_new();

	if (!c)
		return NULL;
	memcpy(c, of, offsetof(struct lbd_config, arena)); /* what follows is its own */
	c->original = config_ref(of);
	c->listeners = array_copy(c->arena, of->listeners, of->n_listeners, sizeof(*c->listeners));
	c->pools = array_copy(c->arena, of->pools, of->n_pools, sizeof(*c->pools));
	for (uint32_t i = 0; c->pools && i < c->n_pools; i++)
		c->pools[i].servers = array_copy(c->arena, of->pools[i].servers,
		    of->pools[i].n_servers, sizeof(*c->pools[i].servers));
	if (arena_failed(c->arena))
		config_unref(&c);
	return c;
}

char *
config_print(const struct lbd_config *c)
{
	json_t *document = json_config_encode(config_fields, c);
	char *text = document ? json_text(document, JSON_INDENT(2), "\n") : NULL;

	json_decref(document);
	return text;
}

bool
config_has_names(const struct lbd_config *c)
{
	for (uint32_t i = 0; i < c->n_pools; i++)
		for (uint32_t j = 0; j < c->pools[i].n_servers; j++)
			if (server_is_named(&c->pools[i].servers[j]))
				return true;
	return false;
}

/* What may differ between the nodes of a pair without their behaving differently. */
static void
drop_local(json_t *document)
{
	json_object_del(document, "workers");
	json_object_del(document, "user");
	json_object_del(document, "log");
	json_object_del(document, "admin");
	json_object_del(json_object_get(document, "resolver"), "state_file");
}

void
config_digest_write(const unsigned char *hash, char digest[17])
{
	for (int i = 0; i < 8; i++)
		snprintf(digest + 2 * i, 3, "%02x", hash[i]);
}

int
config_digest(const struct lbd_config *c, char digest[17])
{
	json_t *document = json_config_encode(config_fields, c);
	unsigned char hash[EVP_MAX_MD_SIZE];
	char *text = NULL;
	int rc = -ENOMEM;

	drop_local(document);
	if (document)
		text = json_text(document, JSON_COMPACT | JSON_SORT_KEYS, "");
	if (text && EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) == 1) {
		config_digest_write(hash, digest);
		rc = 0;
	}
	free(text);
	json_decref(document);
	return rc;
}
