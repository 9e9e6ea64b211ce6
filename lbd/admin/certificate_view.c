/* certificate_view.c - one row a pair of files, whoever uses it. */
#include "lbd/admin/certificate_view.h"

#include <stdio.h>

#include "common/clock.h"
#include "lbd/admin/json_build.h"

enum { DAY_S = 24 * 3600 };

static int64_t
days_until(int64_t second, int64_t now_wall_ns)
{
	int64_t left = second - now_wall_ns / NS_PER_S;

	return left < 0 ? -((-left + DAY_S - 1) / DAY_S) : left / DAY_S;
}

int64_t
certificate_days(const struct tls_shelf_entry *e, int64_t now_wall_ns)
{
	return days_until(e->loaded.not_after, now_wall_ns);
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

int64_t
revocations_days(const struct tls_shelf_revocations *r, int64_t now_wall_ns)
{
	return days_until(r->lists.until, now_wall_ns);
}

const char *
revocations_alarm(
    const struct tls_shelf_revocations *r, int64_t now_wall_ns, char *text, size_t size)
{
	int64_t left_s = r->lists.until - now_wall_ns / NS_PER_S;

	if (left_s < 0) {
		snprintf(text, size, "%.*s has expired: certificates of clients are refused",
		    STR_ARG(r->path));
		return "crl_expired";
	}
	if (left_s >= CERTIFICATE_ALARM_DAYS * DAY_S ||
	    left_s >= (r->lists.until - r->lists.begun) / 4)
		return NULL;
	snprintf(text, size, "%.*s expires in %lld days", STR_ARG(r->path),
	    (long long)revocations_days(r, now_wall_ns));
	return "crl_expires";
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
uses_pair(const struct listener_config *l, const void *arg)
{
	const struct tls_shelf_entry *e = arg;

	for (uint32_t i = 0; i < l->tls.n_certificates; i++)
		if (str_eq(l->tls.certificates[i].certificate, e->certificate) &&
		    str_eq(l->tls.certificates[i].key, e->key))
			return true;
	return false;
}

static bool
uses_revocations(const struct listener_config *l, const void *arg)
{
	const struct tls_shelf_revocations *r = arg;

	return l->tls.client_verify != TLS_VERIFY_OFF && str_eq(l->tls.client_crl, r->path);
}

static json_t *
listeners_json(const struct lbd_config *config,
    bool (*uses)(const struct listener_config *, const void *), const void *arg)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < config->n_listeners; i++)
		if (uses(&config->listeners[i], arg))
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
	json_put(&o, "listeners", listeners_json(config, uses_pair, e));
	return o;
}

static json_t *
revocations_json(
    const struct lbd_config *config, const struct tls_shelf_revocations *r, int64_t now_wall_ns)
{
	bool ends = r->lists.until != INT64_MAX;
	json_t *o = json_object();
	char text[512];

	json_put(&o, "file", json_of_str(r->path));
	json_put(&o, "until", ends ? day_json(r->lists.until) : json_null());
	json_put(&o, "days", ends ? json_integer(revocations_days(r, now_wall_ns)) : json_null());
	json_put(&o, "alarm",
	    json_boolean(revocations_alarm(r, now_wall_ns, text, sizeof(text)) != NULL));
	json_put(&o, "listeners", listeners_json(config, uses_revocations, r));
	return o;
}

json_t *
certificates_json(const struct admin_state *state, int64_t now_wall_ns)
{
	json_t *o = json_object(), *pairs = json_array(), *revocations = json_array();
	const struct tls_shelf *s = state->certificates;

	for (uint32_t i = 0; s && i < s->n; i++)
		json_append(&pairs, entry_json(state->config, &s->list[i], now_wall_ns));
	for (uint32_t i = 0; s && i < s->n_revocations; i++)
		json_append(
		    &revocations, revocations_json(state->config, &s->revocations[i], now_wall_ns));
	json_put(&o, "certificates", pairs);
	json_put(&o, "revocations", revocations);
	return o;
}
