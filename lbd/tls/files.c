/* files.c - reading them, and their way from one process to the other: "PATH_SIZE CONTENT_SIZE\n", both. */
#include "lbd/tls/files.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/file.h"
#include "lbd/config/contents.h"

enum { SECRET_SIZE = 32 };

static void
content_free(struct str content)
{
	OPENSSL_cleanse((void *)(uintptr_t)content.p, content.n);
	free((void *)(uintptr_t)content.p);
}

static bool
has(const struct tls_files *files, struct str path)
{
	for (uint32_t i = 0; i < files->n; i++)
		if (str_eq(files->list[i].path, path))
			return true;
	return false;
}

/* Takes the content over, also on failure. */
static int
add(struct tls_files *files, struct str path, char *content, size_t n)
{
	struct tls_file *grown;
	char *copy = strndup(path.p, path.n);

	if (files->n == files->size) {
		grown = realloc(files->list, (files->size + 16) * sizeof(*grown));
		if (grown) {
			files->list = grown;
			files->size += 16;
		}
	}
	if (!copy || files->n == files->size) {
		free(copy);
		content_free((struct str){ content, n });
		return -ENOMEM;
	}
	files->list[files->n++] = (struct tls_file){ { copy, path.n }, { content, n } };
	return 0;
}

/* An absent path is no file. */
static void
read_at_most(struct tls_files *files, struct str path, size_t max, struct problems *problems)
{
	char *content;
	struct err err;
	size_t n;

	if (path.n == 0 || has(files, path))
		return;
	if (file_read(path.p, max, &content, &n, &err) < 0)
		problems_add(problems, 0, "%s", err.text);
	else if (add(files, path, content, n) < 0)
		problems_add(problems, 0, "out of memory for %.*s", STR_ARG(path));
}

static void
read_one(struct tls_files *files, struct str path, struct problems *problems)
{
	read_at_most(files, path, TLS_FILE_MAX, problems);
}

static void
read_pages(struct tls_files *files, const struct pages_config *pages, struct problems *problems)
{
	for (uint32_t i = 0; i < pages->n; i++)
		read_at_most(files, pages->list[i].path, PAGE_SIZE_MAX, problems);
}

static void
read_listener(struct tls_files *files, const struct tls_config *c, struct problems *problems)
{
	for (uint32_t i = 0; i < c->n_certificates; i++) {
		read_one(files, c->certificates[i].certificate, problems);
		read_one(files, c->certificates[i].key, problems);
		read_one(files, c->certificates[i].ocsp, problems);
	}
	read_one(files, c->client_ca, problems);
	read_one(files, c->client_crl, problems);
	read_one(files, c->ticket_secret_file, problems);
}

/* Where Debian, Red Hat and their kin, SUSE and OpenSSL itself have them. */
static const char *
system_ca(unsigned i)
{
	static const char *const paths[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
	};
	const char *set = getenv(X509_get_default_cert_file_env());

	if (set)
		return i == 0 ? set : NULL;
	if (i < sizeof(paths) / sizeof(paths[0]))
		return paths[i];
	return i == sizeof(paths) / sizeof(paths[0]) ? X509_get_default_cert_file() : NULL;
}

static void
read_system_ca(struct tls_files *files, struct problems *problems)
{
	char *content = NULL;
	const char *path;
	struct err err;
	size_t n;

	if (has(files, TLS_FILES_SYSTEM_CA))
		return;
	for (unsigned i = 0; !content && (path = system_ca(i)); i++)
		if (file_read(path, TLS_FILE_MAX, &content, &n, &err) < 0)
			content = NULL;
	if (!content)
		problems_add(problems, 0,
		    "there is no file of certificate authorities (Debian: package "
		    "ca-certificates): %s",
		    err.text);
	else if (add(files, TLS_FILES_SYSTEM_CA, content, n) < 0)
		problems_add(problems, 0, "out of memory for the certificate authorities");
}

static void
read_pool(struct tls_files *files, const struct pool_config *p, struct problems *problems)
{
	const struct tls_server_config *c = &p->tls;

	read_one(files, p->stickiness.secret_file, problems);
	if (c->verify && c->ca.n)
		read_one(files, c->ca, problems);
	else if (c->verify)
		read_system_ca(files, problems);
	read_one(files, c->certificate, problems);
	read_one(files, c->key, problems);
}

/* Of those that could be read. */
static void
check_secrets(
    const struct tls_files *files, const struct lbd_config *config, struct problems *problems)
{
	struct str secret;
	struct err err;

	for (uint32_t i = 0; i < config->n_pools; i++) {
		struct str path = config->pools[i].stickiness.secret_file;

		if (path.n && has(files, path) && tls_files_secret(files, path, &secret, &err) < 0)
			problems_add(problems, 0, "pools[%u].stickiness: %s", i, err.text);
	}
}

/* What the channel will carry. */
static void
check_size(const struct tls_files *files, struct problems *problems)
{
	enum { SIZES_MAX = 48 };
	size_t n = 0;

	for (uint32_t i = 0; i < files->n; i++)
		n += SIZES_MAX + files->list[i].path.n + files->list[i].content.n;
	if (n > TLS_FILES_MAX)
		problems_add(problems, 0,
		    "the files of certificates, keys and pages have %zu MiB together: allowed are "
		    "%d",
		    (n >> 20) + 1, TLS_FILES_MAX >> 20);
}

void
tls_files_read(struct tls_files *files, const struct lbd_config *config, struct problems *problems)
{
	for (uint32_t i = 0; i < config->n_listeners; i++) {
		read_listener(files, &config->listeners[i].tls, problems);
		read_pages(files, &config->listeners[i].error_pages, problems);
	}
	for (uint32_t i = 0; i < config->n_pools; i++) {
		const struct pool_config *p = &config->pools[i];

		read_pool(files, p, problems);
		read_pages(files, &p->error_pages, problems);
		read_at_most(files, p->maintenance_page.path, PAGE_SIZE_MAX, problems);
	}
	check_secrets(files, config, problems);
	check_size(files, problems);
}

int
tls_files_make_secret(struct tls_files *files, const struct tls_files *before)
{
	struct str kept = { NULL, 0 };
	char *secret = malloc(SECRET_SIZE);

	if (!secret)
		return -ENOMEM;
	if (before)
		kept = tls_files_find(before, TLS_FILES_SECRET);
	if (kept.n == SECRET_SIZE) {
		memcpy(secret, kept.p, SECRET_SIZE);
	} else if (getrandom(secret, SECRET_SIZE, 0) != SECRET_SIZE) {
		free(secret);
		return -errno;
	}
	return add(files, TLS_FILES_SECRET, secret, SECRET_SIZE);
}

void
tls_files_fini(struct tls_files *files)
{
	for (uint32_t i = 0; i < files->n; i++) {
		content_free(files->list[i].content);
		free((void *)(uintptr_t)files->list[i].path.p);
	}
	free(files->list);
	*files = (struct tls_files){ 0 };
}

struct str
tls_files_find(const struct tls_files *files, struct str path)
{
	for (uint32_t i = 0; i < files->n; i++)
		if (str_eq(files->list[i].path, path))
			return files->list[i].content;
	return (struct str){ NULL, 0 };
}

int
tls_files_secret(
    const struct tls_files *files, struct str path, struct str *secret, struct err *err)
{
	*secret = tls_files_find(files, path);
	while (path.n && secret->n &&
	    (secret->p[secret->n - 1] == '\n' || secret->p[secret->n - 1] == '\r'))
		secret->n--;
	if (secret->n < TLS_SECRET_MIN)
		return err_set(err, -EINVAL,
		    "%.*s: a secret of %zu bytes is too short: allowed are %d and more",
		    STR_ARG(path), secret->n, TLS_SECRET_MIN);
	return 0;
}

static struct str
content_of(const void *files, struct str path)
{
	return tls_files_find(files, path);
}

int
tls_files_give(const struct tls_files *files, struct lbd_config *config)
{
	return config_contents_take(config, content_of, files);
}

void
tls_files_format(const struct tls_files *files, struct text *out)
{
	for (uint32_t i = 0; i < files->n; i++) {
		const struct tls_file *f = &files->list[i];

		text_printf(out, "%zu %zu\n", f->path.n, f->content.n);
		text_append(out, f->path);
		text_append(out, f->content);
	}
}

/* The two sizes of a file's first line, which end at *rest.  False: it is none. */
static bool
sizes_parse(struct str in, size_t *path_n, size_t *content_n, struct str *rest)
{
	const char *end = in.n ? memchr(in.p, '\n', in.n) : NULL;
	char line[64], junk;

	if (!end || (size_t)(end - in.p) >= sizeof(line))
		return false;
	memcpy(line, in.p, (size_t)(end - in.p));
	line[end - in.p] = '\0';
	if (sscanf(line, "%zu %zu%c", path_n, content_n, &junk) != 2)
		return false;
	*rest = str_skip(in, (size_t)(end - in.p) + 1);
	return *path_n <= rest->n && *content_n <= rest->n - *path_n;
}

int
tls_files_parse(struct tls_files *files, struct str in)
{
	size_t path_n, content_n;
	struct str rest, path;
	char *content;
	int code;

	while (in.n) {
		if (!sizes_parse(in, &path_n, &content_n, &rest))
			return -EBADMSG;
		path = (struct str){ rest.p, path_n };
		content = malloc(content_n + 1);
		if (!content)
			return -ENOMEM;
		memcpy(content, rest.p + path_n, content_n);
		content[content_n] = '\0';
		code = add(files, path, content, content_n);
		if (code)
			return code;
		in = str_skip(rest, path_n + content_n);
	}
	return 0;
}
