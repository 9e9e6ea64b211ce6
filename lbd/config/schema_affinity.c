/* schema_affinity.c - what keeps a client with its server: the table of pools[].stickiness, and hash_key. */
#include "lbd/config/schema.h"

#include "common/clock.h"
#include "common/daemon_kinds.h"
#include "lbd/http/scan.h"

enum { NAME_MAX_SIZE = 128, DOMAIN_MAX_SIZE = 253, LABEL_MAX_SIZE = 63, PATH_MAX_SIZE = 256 };

/* By what a pool hashes; those that end in a colon have a name behind it. */
static const struct {
	struct str text;
	enum hash_key key;
} hash_keys[] = {
	{ { "client_ip", 9 }, HASH_CLIENT_IP },
	{ { "header:", 7 }, HASH_HEADER },
	{ { "cookie:", 7 }, HASH_COOKIE },
	{ { "uri", 3 }, HASH_URI },
	{ { "path", 4 }, HASH_PATH },
};

bool
config_hash_key_parse(struct str text, enum hash_key *key, struct str *name)
{
	for (size_t i = 0; i < sizeof(hash_keys) / sizeof(*hash_keys); i++) {
		struct str word = hash_keys[i].text;

		if (!str_starts(text, word))
			continue;
		*key = hash_keys[i].key;
		*name = str_skip(text, word.n);
		if (word.p[word.n - 1] != ':')
			return name->n == 0;
		return name->n <= NAME_MAX_SIZE && scan_all(*name, SCAN_TOKEN);
	}
	return false;
}

const char *
config_check_hash_key(struct str s)
{
	enum hash_key key;
	struct str name;

	return config_hash_key_parse(s, &key, &name)
	    ? NULL
	    : "is nothing to hash by: \"client_ip\", \"header:NAME\", \"cookie:NAME\", \"uri\" and "
	      "\"path\" are";
}

static const char *
check_cookie_name(struct str s)
{
	return scan_all(s, SCAN_TOKEN) ? NULL : "is not the name of a cookie";
}

static bool
is_label(struct str s)
{
	if (s.n == 0 || s.n > LABEL_MAX_SIZE || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!scan_is(s.p[i], SCAN_ALNUM) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

/* What browsers take for one: RFC 6265 section 5.1.3 has neither addresses nor a dot in front. */
static const char *
check_cookie_domain(struct str s)
{
	struct str label = s;
	const char *dot;

	if (s.p[0] == '.')
		return "begins with a dot: a domain is for the hosts below it without one";
	while ((dot = memchr(label.p, '.', label.n))) {
		if (!is_label((struct str){ label.p, (size_t)(dot - label.p) }))
			return "is not a domain";
		label = str_skip(label, (size_t)(dot - label.p) + 1);
	}
	if (!is_label(label))
		return "is not a domain";
	if (label.p == s.p)
		return "is a top-level domain: browsers refuse cookies for all of it";
	return label.p[0] >= '0' && label.p[0] <= '9' ? "is an address: leave it out" : NULL;
}

static const char *
check_cookie_path(struct str s)
{
	return memchr(s.p, ';', s.n) ? "is not the path of a cookie: it holds a semicolon"
				     : config_check_path(s);
}

static const struct json_choice types[] = {
	{ "cookie", STICKY_COOKIE },
	{ NULL, 0 },
};

static const struct json_choice same_sites[] = {
	{ "lax", SAME_SITE_LAX },
	{ "strict", SAME_SITE_STRICT },
	{ "none", SAME_SITE_NONE },
	{ NULL, 0 },
};

static const struct json_choice secures[] = {
	{ "auto", SECURE_AUTO },
	{ "always", SECURE_ALWAYS },
	{ "never", SECURE_NEVER },
	{ NULL, 0 },
};

static const char *
barred_same_site(const void *object)
{
	const struct stickiness_config *s = object;

	return s->same_site == SAME_SITE_NONE && s->secure == SECURE_NEVER
	    ? "is \"none\", which browsers refuse of a cookie that is never secure"
	    : NULL;
}

static const char *
barred_domain(const void *object)
{
	const struct stickiness_config *s = object;

	return str_starts(s->name, STR("__Host-"))
	    ? "would make browsers refuse the cookie: its name says that it has none"
	    : NULL;
}

const struct json_field config_stickiness_fields[] = {
	{ JSON_ROW("type", json_kind_choice, struct stickiness_config, type),
	    .fallback = "\"cookie\"", .choices = types },
	{ JSON_ROW("name", json_kind_string, struct stickiness_config, name), .required = true,
	    .min = 1, .max = NAME_MAX_SIZE, .expects = "the name of a cookie",
	    .check = check_cookie_name },
	/* without one: the listeners' ticket_secret_file */
	{ JSON_ROW("secret_file", json_kind_string, struct stickiness_config, secret_file),
	    .min = 2, .max = 4095, .expects = "an absolute path", .check = check_absolute_path },
	{ JSON_ROW("ttl", json_kind_duration, struct stickiness_config, ttl), .min = NS_PER_S,
	    .max = 400 * INT64_C(86400) * NS_PER_S },
	{ JSON_ROW("domain", json_kind_string, struct stickiness_config, domain), .min = 1,
	    .max = DOMAIN_MAX_SIZE, .expects = "a domain such as \"example.org\"",
	    .check = check_cookie_domain, .barred = barred_domain },
	{ JSON_ROW("path", json_kind_string, struct stickiness_config, path), .fallback = "\"/\"",
	    .min = 1, .max = PATH_MAX_SIZE, .expects = "a path such as \"/shop\"",
	    .check = check_cookie_path },
	{ JSON_ROW("secure", json_kind_choice, struct stickiness_config, secure),
	    .fallback = "\"auto\"", .choices = secures },
	{ JSON_ROW("http_only", json_kind_bool, struct stickiness_config, http_only),
	    .fallback = "true" },
	{ JSON_ROW("same_site", json_kind_choice, struct stickiness_config, same_site),
	    .fallback = "\"lax\"", .choices = same_sites, .barred = barred_same_site },
	{ 0 },
};
