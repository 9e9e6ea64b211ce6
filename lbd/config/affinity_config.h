/* affinity_config.h - the part of the configuration that keeps a client with its server.  Part of config.h. */
#ifndef LBD_CONFIG_AFFINITY_CONFIG_H
#define LBD_CONFIG_AFFINITY_CONFIG_H

#include "common/str.h"
#include "lbd/http/cookie.h"

/* What the hash algorithms hash. */
enum hash_key { HASH_CLIENT_IP, HASH_HEADER, HASH_COOKIE, HASH_URI, HASH_PATH };

enum sticky_type { STICKY_OFF, STICKY_COOKIE };

enum cookie_secure {
	SECURE_AUTO, /* where the client came by TLS */
	SECURE_ALWAYS,
	SECURE_NEVER
};

struct stickiness_config {
	enum sticky_type type;
	struct str name; /* of the cookie */
	struct str secret_file;
	int64_t ttl; /* 0: as long as the browser runs */
	struct str domain; /* empty: of the host that was asked, alone */
	struct str path;
	enum cookie_secure secure;
	bool http_only;
	enum cookie_same_site same_site;
};

#endif
