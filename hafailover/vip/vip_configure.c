/*
 * vip_configure.c - one set of addresses becomes another: what is in both is not touched.  What is
 * left over, of ours or of a predecessor, is removed.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "hafailover/vip/vip_private.h"
#include "hafailover/vip/vip_request.h"

static bool
config_same(const struct vip_config *a, const struct vip_config *b)
{
	return address_equal(&a->address, &b->address) &&
	    vip_rule_prefix(a) == vip_rule_prefix(b) && strcmp(a->interface, b->interface) == 0;
}

/* What was known of addresses that stay. */
static void
carry_over(struct vip *new, size_t n, const struct vip *old, size_t n_old)
{
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < n_old; k++)
			if (config_same(&new[i].config, &old[k].config))
				new[i] = old[k];
}

/* Not left to remove_stale, which needs marks. */
static int
release_unnamed(struct vip_table *t, const struct vip *new, size_t n, struct err *err)
{
	size_t i, k;
	int status = 0;

	for (i = 0; i < t->n && status == 0; i++) {
		for (k = 0; k < n && !config_same(&t->vips[i].config, &new[k].config); k++)
			;
		if (k == n && t->claimed)
			status = vip_take_away(t, &t->vips[i], err);
	}
	return status;
}

/* Is it one of the configured ones, at its place? */
static bool
is_named(const struct vip_table *t, const struct link_address *a)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->vips[i].link && vip_rule_is(a, &t->vips[i].config, t->vips[i].link))
			return true;
	return false;
}

static void
log_address(const char *event, const struct vip_table *t, const struct link_address *a)
{
	const struct link *l = link_at(t->links, a->link);
	char text[ADDRESS_TEXT_MAX];

	address_format_host(&a->address, text);
	log_event(LOG_WARNING, event, "address=%s/%u interface=%s", text, (unsigned)a->prefix,
	    l ? l->name : "-");
}

static int
delete_reported(struct nl_sock *s, const struct link_address *a, struct err *err)
{
	const struct vip_request r = { &a->address, a->prefix, a->link };

	return vip_request_delete(s, &r, err);
}

/* Left over from another configuration, ours or a predecessor's. */
static int
remove_stale(struct vip_table *t, struct err *err)
{
	const struct link_address *a;
	struct link_address gone;
	size_t i;
	int status;

	for (i = 0; (a = link_address_next(t->links, i)); i++) {
		if (a->mark != VIP_MARK || is_named(t, a))
			continue;
		gone = *a;
		status = delete_reported(t->ask, &gone, err);
		if (status)
			return status;
		log_address("vip_stale_removed", t, &gone);
	}
	link_drain(t->links); /* our own deletions are no news */
	return 0;
}

/* Somebody configured a virtual address for good: this node has it whether it is Active or not. */
static void
warn_foreign(const struct vip_table *t)
{
	const struct link_address *a;
	size_t i;

	for (i = 0; (a = link_address_next(t->links, i)); i++)
		if (a->mark != VIP_MARK && a->ends_ns == INT64_MAX && is_named(t, a))
			log_address("vip_foreign", t, a);
}

static struct vip *
vips_new(const struct vip_config *configs, size_t n)
{
	struct vip *vips = calloc(n ? n : 1, sizeof(*vips));
	size_t i;

	for (i = 0; vips && i < n; i++) {
		vips[i].config = configs[i];
		/* Ports and scopes are no part of it. */
		if (configs[i].address.sa.sa_family == AF_INET) {
			vips[i].config.address.in.sin_port = 0;
		} else {
			vips[i].config.address.in6.sin6_port = 0;
			vips[i].config.address.in6.sin6_scope_id = 0;
		}
	}
	return vips;
}

static int
claim_missing(struct vip_table *t, struct err *err)
{
	struct err why;
	size_t i;
	int status = 0;

	for (i = 0; i < t->n; i++) {
		struct vip *v = &t->vips[i];

		if (v->present && v->renewed_ns)
			continue;
		if (vip_put(t, v, &why) < 0 && status == 0) {
			*err = *vip_err(v, "claim", &why);
			status = err->code;
		}
	}
	return status;
}

int
vip_configure(struct vip_table *t, const struct vip_config *configs, size_t n, uint32_t lease_s,
    int64_t patience_ns, struct err *err)
{
	bool other_lease = lease_s != t->lease_s;
	struct vip *vips;
	size_t i;
	int status;

	if (n > VIP_MAX)
		return err_set(err, -EINVAL, "more than %d virtual addresses", (int)VIP_MAX);
	status = n ? vip_request_check(t->ask, err) : 0;
	if (status)
		return status;
	vips = vips_new(configs, n);
	if (!vips)
		return err_set(err, -ENOMEM, "out of memory");
	carry_over(vips, n, t->vips, t->n);
	status = release_unnamed(t, vips, n, err);
	if (status) {
		free(vips);
		return status;
	}
	free(t->vips);
	t->vips = vips;
	t->n = n;
	t->lease_s = lease_s;
	t->patience_ns = patience_ns;
	for (i = 0; i < n; i++) {
		vip_look(t, &vips[i]);
		if (other_lease)
			vips[i].renewed_ns = 0;
	}
	status = remove_stale(t, err);
	warn_foreign(t);
	if (status || !t->claimed || t->suspended)
		return status;
	vip_renewal_start(t);
	return claim_missing(t, err);
}

static int
release_ours(
    const struct link_table *links, const struct vip_config *known, size_t n, struct err *err)
{
	const struct link_address *a;
	struct nl_sock *s = netlink_open(err);
	int done = 0, status = s ? 0 : err->code;
	size_t i;

	for (i = 0; status == 0 && (a = link_address_next(links, i)); i++) {
		if (!vip_rule_ours(a, link_marks_known(links), known, n))
			continue;
		status = delete_reported(s, a, err);
		done += status == 0;
	}
	netlink_close(&s);
	return status ? status : done;
}

int
vip_release_all(const struct vip_config *known, size_t n, struct err *err)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO); /* never runs: the table is read at once */
	struct link_table *links;
	int status;

	if (!loop)
		return err_set(err, -ENOMEM, "out of memory");
	links = link_open(loop, err);
	status = links ? release_ours(links, known, n, err) : err->code;
	link_close(&links);
	ev_loop_destroy(loop);
	return status;
}
