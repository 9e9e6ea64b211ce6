/*
 * config.c - from text to struct ha_config: decode, complete, validate, digest; and the secret.
 *
 * The effective configuration is the canonical form: `addresses` and `instances`, whichever way
 * they were written, so that both nodes arrive at the same digest.
 */
#include "hafailover/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/daemon_kinds.h"
#include "hafailover/config/config_schema.h"

static struct ha_config *
config_new(void)
{
	struct arena *a = arena_new();
	struct ha_config *c = a ? arena_alloc(a, sizeof(*c)) : NULL;

	if (!c) {
		arena_free(&a);
		return NULL;
	}
	c->arena = a;
	return c;
}

void
ha_config_free(struct ha_config **cp)
{
	struct ha_config *c = *cp;
	struct arena *a = c ? c->arena : NULL;

	*cp = NULL;
	arena_free(&a);
}

static void
decode(struct ha_config *c, struct str text, const struct ha_config_options *options,
    struct problems *problems)
{
	struct json_decoder d = {
		.file = options->file,
		.problems = problems,
		.arena = c->arena,
	};

	if (json_config_open(&d, text) == 0) {
		json_config_decode(&d, ha_config_fields, c);
		if (!arena_failed(c->arena))
			ha_config_complete(c);
		if (!arena_failed(c->arena))
			ha_config_validate(c, &d, options);
	}
	json_config_close(&d);
	problems_sort(problems);
}

/* What may differ between the nodes without their deciding differently. */
static void
drop_local(json_t *document)
{
	static const char *const local[] = { "secret_file", "admin", "control", "state_directory",
		"log" };

	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
		json_object_del(document, local[i]);
	json_object_del(json_object_get(document, "track"), "lbd");
	json_object_del(json_object_get(document, "witness"), "secret_file");
}

/* Its first eight bytes. */
static uint64_t
hash_number(const unsigned char *hash)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | hash[i];
	return v;
}

static int
digest_make(const struct ha_config *c, uint64_t *digest)
{
	json_t *document = json_config_encode(ha_config_fields, c);
	unsigned char hash[EVP_MAX_MD_SIZE];
	char *text = NULL;
	int rc = -ENOMEM;

	drop_local(document);
	if (document)
		text = json_text(document, JSON_COMPACT | JSON_SORT_KEYS, "");
	if (text && EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) == 1) {
		*digest = hash_number(hash);
		rc = 0;
	}
	free(text);
	json_decref(document);
	return rc;
}

struct ha_config *
ha_config_load(struct str text, const struct ha_config_options *options, struct problems *problems)
{
	struct ha_config *c = config_new();
	size_t before = problems->n;

	if (!c) {
		problems_add(problems, 0, "%s: out of memory", options->file);
		return NULL;
	}
	decode(c, text, options, problems);
	if (problems->n == before && (arena_failed(c->arena) || digest_make(c, &c->digest) < 0))
		problems_add(problems, 0, "%s: out of memory", options->file);
	if (problems->n > before)
		ha_config_free(&c);
	return c;
}

char *
ha_config_print(const struct ha_config *c)
{
	json_t *document = json_config_encode(ha_config_fields, c);
	char *text = document ? json_text(document, JSON_INDENT(2), "\n") : NULL;

	json_decref(document);
	return text;
}

static int
secret_take(struct ha_secret *s, int fd, const char *file, struct err *err)
{
	uint8_t bytes[HA_SECRET_MAX + 1];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot look at %s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s is not a regular file", file);
	if (st.st_mode & S_IRWXO)
		return err_set(err, -EPERM,
		    "%s may be used by everybody (mode %04o): it is no secret; do: chmod 0640 %s",
		    file, st.st_mode & 07777, file);
	n = read(fd, bytes, sizeof(bytes));
	if (n < 0)
		return err_set(err, -errno, "cannot read %s: %s", file, strerror(errno));
	if (n > HA_SECRET_MAX)
		return err_set(err, -EFBIG, "%s is larger than %d bytes", file, HA_SECRET_MAX);
	while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
		n--;
	memcpy(s->bytes, bytes, (size_t)n);
	s->n = (size_t)n;
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

static int
secret_open(struct ha_secret *s, const char *file, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s", file, strerror(errno));
	rc = secret_take(s, fd, file, err);
	close(fd);
	return rc;
}

int
ha_secret_read(struct ha_secret *s, const char *file, struct err *err)
{
	int code = secret_open(s, file, err);

	if (code || s->n >= HA_SECRET_MIN)
		return code;
	return err_set(err, -EINVAL,
	    "%s holds %zu bytes, a secret needs %d or more; do: openssl rand -hex 32 > %s", file,
	    s->n, HA_SECRET_MIN, file);
}

/* keepalived uses the first 8 of a longer one, and would not say so. */
int
ha_password_read(uint8_t password[HA_PASSWORD_MAX], const char *file, struct err *err)
{
	struct ha_secret s;
	int code = secret_open(&s, file, err);

	if (!code && (s.n < 1 || s.n > HA_PASSWORD_MAX))
		code = err_set(err, -EINVAL, "%s holds %zu bytes, a password of VRRP has 1 to %d",
		    file, s.n, HA_PASSWORD_MAX);
	memset(password, 0, HA_PASSWORD_MAX);
	if (!code)
		memcpy(password, s.bytes, s.n);
	explicit_bzero(&s, sizeof(s));
	return code;
}
