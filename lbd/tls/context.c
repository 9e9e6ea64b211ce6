/* context.c - makes the sets of a listener's certificates, of which clients get one. */
#include "lbd/tls/context.h"

#include <errno.h>
#include <stdlib.h>

#include "lbd/tls/server_ctx.h"
#include "lbd/tls/upstream.h"

enum { NONE = UINT32_MAX };

/* Numbers of certificates by kind of key, or NONE. */
struct choice {
	uint32_t of_kind[TLS_KEY_KINDS];
};

/* What a context is built from; gone when it is finished. */
struct builder {
	struct tls_context *context;
	const struct tls_config *config;
	const struct tls_shelf *shelf;
	const struct tls_shelf_entry **entries; /* as in the configuration */
	EVP_PKEY **keys; /* of this engine's library */
	struct choice *choices; /* of each set */
	uint32_t set_size;
	struct err *err;
};

static int
out_of_memory(struct builder *b)
{
	return err_set(b->err, -ENOMEM, "out of memory for TLS");
}

static int
ctx_add_certificate(SSL_CTX *ctx, uint32_t i, struct builder *b)
{
	const struct tls_certificate *c = &b->entries[i]->loaded;
	char text[128];

	if (!b->keys[i])
		b->keys[i] = tls_certificate_key(c, b->context->engine->lib);
	if (b->keys[i] && SSL_CTX_use_cert_and_key(ctx, c->leaf, b->keys[i], c->chain, 1) == 1)
		return 0;
	tls_error_text(text, sizeof(text));
	return err_set(
	    b->err, -EINVAL, "%.*s: %s", STR_ARG(b->config->certificates[i].certificate), text);
}

/* --- sets --- */

static int
names_copy(struct tls_names *to, const struct tls_names *from)
{
	int code = 0;

	for (uint32_t i = 0; i < from->n && !code; i++)
		code = tls_names_add(to, from->list[i].text, 0);
	return code;
}

static int
set_fill(struct tls_set *s, const struct choice *choice, struct builder *b)
{
	int code;

	s->ctx = SSL_CTX_new_ex(b->context->engine->lib, NULL, TLS_server_method());
	code = s->ctx ? tls_server_ctx_configure(s->ctx, b->context, b->config, b->err)
		      : out_of_memory(b);
	for (unsigned kind = 0; !code && kind < TLS_KEY_KINDS; kind++) {
		uint32_t i = choice->of_kind[kind];

		if (i == NONE)
			continue;
		code = ctx_add_certificate(s->ctx, i, b);
		if (!code &&
		    (names_copy(&s->names, &b->entries[i]->names) < 0 ||
			tls_ocsp_copy(&s->staples[kind], &b->entries[i]->staple) < 0))
			code = out_of_memory(b);
		s->leaves[kind] = b->entries[i]->loaded.leaf;
	}
	tls_names_sort(&s->names);
	return code;
}

/* The number of the set with these certificates, made if there is none; <0: -errno with a reason. */
static int64_t
set_of(struct builder *b, const struct choice *choice)
{
	struct tls_context *c = b->context;
	int code;

	for (uint32_t i = 0; i < c->n_sets; i++)
		if (memcmp(&b->choices[i], choice, sizeof(*choice)) == 0)
			return i;
	if (c->n_sets == b->set_size) {
		uint32_t size = b->set_size ? 2 * b->set_size : 4;
		struct tls_set *sets = realloc(c->sets, size * sizeof(*sets));
		struct choice *choices;

		if (sets)
			c->sets = sets;
		choices = sets ? realloc(b->choices, size * sizeof(*choices)) : NULL;
		if (!choices)
			return out_of_memory(b);
		b->choices = choices;
		b->set_size = size;
	}
	c->sets[c->n_sets] = (struct tls_set){ 0 };
	b->choices[c->n_sets] = *choice;
	code = set_fill(&c->sets[c->n_sets++], choice, b);
	return code ? code : (int64_t)c->n_sets - 1;
}

/* A certificate's names are in its own order, so tls_names_find is of no use. */
static bool
has_name(const struct tls_names *names, struct str name, bool exact)
{
	const char *dot = memchr(name.p, '.', name.n);
	struct str domain = dot ? str_skip(name, (size_t)(dot - name.p)) : (struct str){ 0 };

	for (uint32_t i = 0; i < names->n; i++) {
		struct str text = names->list[i].text;

		if (exact ? str_eq(text, name)
			  : domain.n && text.p[0] == '*' && str_eq(str_skip(text, 1), domain))
			return true;
	}
	return false;
}

/* Of each kind the first certificate with that very name, else the first with a wildcard for it. */
static void
choose(const struct builder *b, struct str name, struct choice *choice)
{
	for (int exact = 1; exact >= 0; exact--)
		for (uint32_t i = 0; i < b->config->n_certificates; i++) {
			uint32_t *chosen = &choice->of_kind[b->entries[i]->loaded.kind];

			if (*chosen == NONE && has_name(&b->entries[i]->names, name, exact))
				*chosen = i;
		}
}

static struct choice
choice_of_none(void)
{
	struct choice c;

	memset(&c, 0xff, sizeof(c));
	return c;
}

/* The first certificate, with those of other kinds that have its first name. */
static int64_t
set_default(struct builder *b)
{
	struct choice choice = choice_of_none();

	choice.of_kind[b->entries[0]->loaded.kind] = 0;
	if (b->entries[0]->names.n)
		choose(b, b->entries[0]->names.list[0].text, &choice);
	return set_of(b, &choice);
}

static int
name_place(struct builder *b, struct str name)
{
	struct choice choice = choice_of_none();
	int64_t set;

	choose(b, name, &choice);
	set = set_of(b, &choice);
	if (set < 0)
		return (int)set;
	return tls_names_add(&b->context->names, name, (uint32_t)set) < 0 ? out_of_memory(b) : 0;
}

static int
sets_build(struct builder *b)
{
	int64_t code = set_default(b);

	for (uint32_t i = 0; code >= 0 && i < b->config->n_certificates; i++)
		for (uint32_t j = 0; code >= 0 && j < b->entries[i]->names.n; j++)
			code = name_place(b, b->entries[i]->names.list[j].text);
	tls_names_sort(&b->context->names);
	return code < 0 ? (int)code : 0;
}

/* --- from the configuration --- */

static int
entries_find(struct builder *b)
{
	const struct tls_config *c = b->config;

	b->entries = calloc(c->n_certificates, sizeof(*b->entries));
	b->keys = calloc(c->n_certificates, sizeof(EVP_PKEY *));
	if (!b->entries || !b->keys)
		return out_of_memory(b);
	for (uint32_t i = 0; i < c->n_certificates; i++)
		b->entries[i] = tls_shelf_find(b->shelf, &c->certificates[i]);
	return 0;
}

static int
tickets_init(struct builder *b)
{
	struct str secret;
	int code =
	    tls_files_secret(b->shelf->files, b->config->ticket_secret_file, &secret, b->err);

	if (code)
		return code;
	return tls_ticket_keys_init(&b->context->tickets, b->context->engine->lib, secret,
		   b->context->clients.digest) < 0
	    ? out_of_memory(b)
	    : 0;
}

static void
builder_fini(struct builder *b)
{
	for (uint32_t i = 0; b->keys && i < b->config->n_certificates; i++)
		EVP_PKEY_free(b->keys[i]);
	free(b->keys);
	free(b->entries);
	free(b->choices);
}

/* NULL with a reason, which names the file or the key that is at fault. */
static struct tls_context *
context_new(struct tls_engine *engine, const struct tls_config *config,
    const struct tls_shelf *shelf, struct err *err)
{
	struct tls_context *c = calloc(1, sizeof(*c));
	struct builder b = { .context = c, .config = config, .shelf = shelf, .err = err };
	int code;

	if (!c) {
		out_of_memory(&b);
		return NULL;
	}
	c->references = 1;
	c->engine = engine;
	c->check_host = config->check_host;
	c->alpn_n = (unsigned)config->alpn.wire.n;
	memcpy(c->alpn, config->alpn.wire.p, config->alpn.wire.n);
	code = tls_client_policy_init(&c->clients, engine->lib, config, shelf->files, err);
	if (!code)
		code = tickets_init(&b);
	if (!code)
		code = entries_find(&b);
	if (!code)
		code = sets_build(&b);
	builder_fini(&b);
	if (code)
		tls_context_unref(&c);
	return c;
}

struct tls_context *
tls_context_ref(struct tls_context *c)
{
	atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
	return c;
}

void
tls_context_unref(struct tls_context **cp)
{
	struct tls_context *c = *cp;

	*cp = NULL;
	if (!c || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) > 1)
		return;
	for (uint32_t i = 0; i < c->n_sets; i++) {
		SSL_CTX_free(c->sets[i].ctx);
		tls_names_fini(&c->sets[i].names);
		for (int kind = 0; kind < TLS_KEY_KINDS; kind++)
			tls_ocsp_fini(&c->sets[i].staples[kind]);
	}
	free(c->sets);
	tls_client_policy_fini(&c->clients);
	tls_ticket_keys_fini(&c->tickets);
	tls_names_fini(&c->names);
	free(c);
}

bool
tls_context_alike(const struct tls_context *a, const struct tls_context *b)
{
	return memcmp(a->clients.digest, b->clients.digest, TLS_POLICY_SIZE) == 0;
}

int
tls_contexts_prepare(struct tls_shelf *s, struct tls_engine *engine,
    const struct lbd_config *config, struct err *err)
{
	size_t size = (s->n_ready + config->n_listeners) * sizeof(struct tls_context *);
	struct tls_context **grown = realloc(s->ready, size);

	if (!grown)
		return err_set(err, -ENOMEM, "out of memory for TLS");
	s->ready = grown;
	for (uint32_t i = 0; i < config->n_listeners; i++) {
		const struct tls_config *c = &config->listeners[i].tls;
		struct tls_context *made = NULL;

		if (c->n_certificates && !(made = context_new(engine, c, s, err)))
			return err->code;
		s->ready[s->n_ready++] = made;
	}
	return 0;
}

void
tls_contexts_forget(struct tls_shelf *s)
{
	for (uint32_t i = 0; i < s->n_ready; i++)
		tls_context_unref(&s->ready[i]);
	free(s->ready);
	s->ready = NULL;
	s->n_ready = 0;
}

static void
listener_try(struct tls_engine *engine, uint32_t i, const struct tls_config *config,
    const struct tls_shelf *shelf, struct problems *problems)
{
	struct tls_context *c;
	struct err err;

	if (!config->n_certificates)
		return;
	c = context_new(engine, config, shelf, &err);
	if (!c)
		problems_add(problems, 0, "listeners[%u].tls: %s", i, err.text);
	tls_context_unref(&c);
}

static void
contexts_try(
    const struct lbd_config *config, const struct tls_files *files, struct problems *problems)
{
	struct err err;
	struct tls_engine *engine = tls_engine_new(&err);
	struct tls_shelf *shelf = NULL;

	if (engine)
		shelf = tls_shelf_new(config, files, problems);
	else
		problems_add(problems, 0, "%s", err.text);
	for (uint32_t i = 0; shelf && i < config->n_listeners; i++)
		listener_try(engine, i, &config->listeners[i].tls, shelf, problems);
	if (engine)
		tls_upstreams_try(engine, config, files, problems);
	tls_shelf_free(&shelf);
	tls_engine_free(&engine);
}

void
tls_files_load(struct tls_files *files, const struct lbd_config *config,
    const struct tls_files *before, struct problems *problems)
{
	size_t known = problems->n;

	tls_files_read(files, config, problems);
	if (files->n && tls_files_make_secret(files, before) < 0)
		problems_add(problems, 0, "out of memory for TLS");
	if (problems->n == known && files->n)
		contexts_try(config, files, problems);
}
