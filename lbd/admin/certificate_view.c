/* certificate_view.c - one row a pair of files, whoever uses it. */
#include "lbd/admin/certificate_view.h"

#include <stdio.h>

#include "common/clock.h"
#include "lbd/admin/json_build.h"

enum { DAY_S = 24 * 3600 };

int64_t
certificate_days(const struct tls_shelf_entry *e, int64_t now_wall_ns)
{
	int64_t left = e->loaded.not_after - now_wall_ns / NS_PER_S;

	return left < 0 ? -((-left + DAY_S - 1) / DAY_S) : left / DAY_S;
}

static const char *
staple_alarm(const struct tls_shelf_entry *e, int64_t now_wall_ns, char *text, size_t size)
{
	if (e->ocsp.n == 0)
		return NULL;
	if (e->staple.revoked) {
		snprintf(text, size, "%.*s is revoked, says %.*s", STR_ARG(e->certificate),
		    STR_ARG(e->ocsp));
		return "certificate_revoked";
	}
	if (e->staple.until > now_wall_ns / NS_PER_S)
		return NULL;
	snprintf(text, size, "%.*s is over and no longer sent", STR_ARG(e->ocsp));
	return "ocsp_expired";
}

const char *
certificate_alarm(const struct tls_shelf_entry *e, int64_t now_wall_ns, char *text, size_t size)
{
	int64_t days = certificate_days(e, now_wall_ns);

	if (e->loaded.not_before > now_wall_ns / NS_PER_S) {
		snprintf(text, size, "%.*s is not valid yet", STR_ARG(e->certificate));
		return "certificate_early";
	}
	if (days < 0) {
		snprintf(text, size, "%.*s has expired", STR_ARG(e->certificate));
		return "certificate_expired";
	}
	if (days >= CERTIFICATE_ALARM_DAYS)
		return staple_alarm(e, now_wall_ns, text, size);
	snprintf(text, size, "%.*s expires in %lld days", STR_ARG(e->certificate), (long long)days);
	return "certificate_expires";
}

static json_t *
day_json(int64_t wall_s)
{
	time_t second = (time_t)wall_s;
	char text[32];
	struct tm tm;

	gmtime_r(&second, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

/* A name of a certificate may hold anything visible. */
static json_t *
names_json(const struct tls_names *names)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < names->n; i++)
		json_append(&list, json_of_str(names->list[i].text));
	return list;
}

static bool
uses(const struct listener_config *l, const struct tls_shelf_entry *e)
{
	for (uint32_t i = 0; i < l->tls.n_certificates; i++)
		if (str_eq(l->tls.certificates[i].certificate, e->certificate) &&
		    str_eq(l->tls.certificates[i].key, e->key))
			return true;
	return false;
}

static json_t *
listeners_json(const struct lbd_config *config, const struct tls_shelf_entry *e)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < config->n_listeners; i++)
		if (uses(&config->listeners[i], e))
			json_append(&list, json_of_str(config->listeners[i].name));
	return list;
}

static json_t *
entry_json(const struct lbd_config *config, const struct tls_shelf_entry *e, int64_t now_wall_ns)
{
	static const char *const kinds[TLS_KEY_KINDS] = { "RSA", "ECDSA", "EdDSA" };
	char issuer[256];
	json_t *o = json_object();

	tls_certificate_issuer(&e->loaded, issuer, sizeof(issuer));
	json_put(&o, "certificate", json_of_str(e->certificate));
	json_put(&o, "key", json_of_str(e->key));
	json_put(&o, "names", names_json(&e->names));
	json_put(&o, "kind", json_string(kinds[e->loaded.kind]));
	json_put(&o, "issuer", json_string(issuer));
	json_put(&o, "not_before", day_json(e->loaded.not_before));
	json_put(&o, "not_after", day_json(e->loaded.not_after));
	json_put(&o, "ocsp", e->ocsp.n ? json_of_str(e->ocsp) : json_null());
	json_put(&o, "ocsp_until",
	    e->ocsp.n && e->staple.until != INT64_MAX ? day_json(e->staple.until) : json_null());
	json_put(&o, "days", json_integer(certificate_days(e, now_wall_ns)));
	json_put(&o, "listeners", listeners_json(config, e));
	return o;
}

json_t *
certificates_json(const struct admin_state *state, int64_t now_wall_ns)
{
	json_t *o = json_object(), *list = json_array();

	for (uint32_t i = 0; state->certificates && i < state->certificates->n; i++)
		json_append(
		    &list, entry_json(state->config, &state->certificates->list[i], now_wall_ns));
	json_put(&o, "certificates", list);
	return o;
}
