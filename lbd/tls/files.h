/*
 * files.h - certificates, keys and the like: the contents of the files that a configuration names, error pages, too.
 *
 * Keys may be readable by root alone, so the supervisor reads them, keeps them for the next proxy process, and
 * sends them through its channel with each new configuration; a proxy process never opens one.  What is made
 * of them is context.h's.  Memory that held a key is overwritten before it is freed.
 */
#ifndef LBD_TLS_FILES_H
#define LBD_TLS_FILES_H

#include "common/problems.h"
#include "common/text.h"
#include "lbd/config/config.h"

enum {
	TLS_FILE_MAX = 1 << 20,
	TLS_FILES_MAX = 60 << 20 /* of all together, as tls_files_format writes them */
};

struct tls_file {
	struct str path, content; /* both owned */
};

struct tls_files {
	struct tls_file *list;
	uint32_t n, size;
};

/* Reads all that the configuration names, each once.  What cannot be read, or is too much, is a problem. */
void tls_files_read(struct tls_files *, const struct lbd_config *, struct problems *);

/*
 * For tickets where no ticket_secret_file is given: the one of `before` (may be NULL), else a random one.  It
 * is found under TLS_FILES_SECRET.  0 or -errno.
 */
#define TLS_FILES_SECRET STR("")

/* Found under this name: the bundle of the authorities that this system trusts, if a pool asks for them. */
#define TLS_FILES_SYSTEM_CA STR("the system's certificate authorities")
int tls_files_make_secret(struct tls_files *, const struct tls_files *before);

void tls_files_fini(struct tls_files *);

/* A secret of TLS_SECRET_MIN bytes and more, without the end of its line.  0, or -EINVAL with a reason. */
enum { TLS_SECRET_MIN = 32 };
int tls_files_secret(const struct tls_files *, struct str path, struct str *secret, struct err *);

/* Empty: there is no such file, which tls_files_read has said, or nothing is in it. */
struct str tls_files_find(const struct tls_files *, struct str path);

/* What they hold becomes the configuration's (contents.h), before it is shared.  0 or -ENOMEM. */
int tls_files_give(const struct tls_files *, struct lbd_config *);

/* For the channel, and back: 0 or -EBADMSG, -ENOMEM. */
void tls_files_format(const struct tls_files *, struct text *);
int tls_files_parse(struct tls_files *, struct str);

#endif
