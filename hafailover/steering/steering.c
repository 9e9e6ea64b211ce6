/*
 * steering.c - libbpf, and what is in the maps.
 *
 * One object for all interfaces.  What is in the map `rules` is also known here, so that a step
 * compares in memory and calls the kernel only when something is new or half of a lease has passed.
 */
#include "hafailover/steering/steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* Ours among the filters of an interface: first of all, so that nobody decides before. */
enum { FILTER_PRIORITY = 1, FILTER_HANDLE = 0x6c62, LINKS_MAX = 64 };

struct steering {
	struct bpf_object *object;
	int ingress, egress; /* programs */
	int rules, busy, counters; /* maps */
	int cpus;
	int links[LINKS_MAX];
	unsigned n_links;
	struct steering_entry entries[STEERING_RULES_MAX];
	size_t n_entries;
	int64_t renewed_ns;
};

/* --- what libbpf has to say --- */

/* Nothing: what fails is told by its code, and not on stderr. */
static int
on_said(enum libbpf_print_level level, const char *format, va_list values)
{
	(void)level;
	(void)format;
	(void)values;
	return 0;
}

static int
fail(struct err *err, int code, const char *what)
{
	if (code == -EACCES)
		return err_set(err, code, "%s: this kernel's verifier refuses it", what);
	if (code == -EPERM)
		return err_set(
		    err, code, "%s: not permitted (needs CAP_BPF and CAP_NET_ADMIN)", what);
	return err_set(err, code, "%s: %s", what, strerror(-code));
}

/* --- loading --- */

static int
program_fd(const struct bpf_object *object, const char *name)
{
	const struct bpf_program *p = bpf_object__find_program_by_name(object, name);

	CHECK(p);
	return bpf_program__fd(p);
}

static int
map_fd(const struct bpf_object *object, const char *name)
{
	const struct bpf_map *m = bpf_object__find_map_by_name(object, name);

	CHECK(m);
	return bpf_map__fd(m);
}

static int
load(struct steering *s, struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "lbpair");
	struct str object = steering_object();
	int code;

	libbpf_set_print(on_said);
	s->object = bpf_object__open_mem(object.p, object.n, &options);
	if (!s->object)
		return fail(err, -errno, "cannot read the BPF program");
	code = bpf_object__load(s->object);
	if (code)
		return fail(err, code, "cannot load the BPF program");
	s->ingress = program_fd(s->object, "steering_ingress");
	s->egress = program_fd(s->object, "steering_egress");
	s->rules = map_fd(s->object, "rules");
	s->busy = map_fd(s->object, "busy");
	s->counters = map_fd(s->object, "counters");
	s->cpus = libbpf_num_possible_cpus();
	return s->cpus > 0 ? 0 : fail(err, s->cpus, "cannot count the processors");
}

struct steering *
steering_open(struct err *err)
{
	struct steering *s = calloc(1, sizeof(*s));

	if (!s) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	if (load(s, err) == 0)
		return s;
	bpf_object__close(s->object);
	free(s);
	return NULL;
}

/* --- rules --- */

static int
busy_set(struct steering *s)
{
	uint32_t zero = 0, n = (uint32_t)s->n_entries;

	return bpf_map_update_elem(s->busy, &zero, &n, BPF_ANY);
}

static bool
same_key(const struct steering_entry *a, const struct steering_entry *b)
{
	return memcmp(&a->key, &b->key, sizeof(a->key)) == 0;
}

static struct steering_entry *
entry_of(struct steering *s, const struct steering_entry *like)
{
	for (size_t i = 0; i < s->n_entries; i++)
		if (same_key(&s->entries[i], like))
			return &s->entries[i];
	return NULL;
}

static bool
has_key(const struct steering_entry *list, size_t n, const struct steering_entry *like)
{
	for (size_t i = 0; i < n; i++)
		if (same_key(&list[i], like))
			return true;
	return false;
}

static void
entries_drop(struct steering *s, const struct steering_entry *keep, size_t n)
{
	for (size_t i = 0; i < s->n_entries;) {
		if (has_key(keep, n, &s->entries[i])) {
			i++;
			continue;
		}
		bpf_map_delete_elem(s->rules, &s->entries[i].key);
		s->entries[i] = s->entries[--s->n_entries];
	}
}

static bool
same_rule(const struct steering_rule *a, const struct steering_rule *b)
{
	return a->mode == b->mode && memcmp(a->peer, b->peer, sizeof(a->peer)) == 0 &&
	    memcmp(a->own, b->own, sizeof(a->own)) == 0;
}

/* A rule that the kernel did not take is not known here either: it is tried again. */
static int
entry_put(struct steering *s, const struct steering_entry *want, bool renew, int64_t until)
{
	struct steering_entry *e = entry_of(s, want);
	struct steering_entry put = *want;
	int code;

	if (e && same_rule(&e->rule, &want->rule) && !renew)
		return 0;
	put.rule.until_ns = (uint64_t)until;
	code = bpf_map_update_elem(s->rules, &put.key, &put.rule, BPF_ANY);
	if (code)
		return code;
	if (!e) {
		CHECK(s->n_entries < STEERING_RULES_MAX);
		e = &s->entries[s->n_entries++];
	}
	*e = put;
	return 0;
}

int
steering_apply(struct steering *s, const struct steering_entry *list, size_t n, int64_t lease,
    int64_t now, struct err *err)
{
	bool renew = now - s->renewed_ns >= lease / 2;
	size_t before = s->n_entries;
	int code = 0;

	CHECK(n <= STEERING_RULES_MAX);
	entries_drop(s, list, n);
	for (size_t i = 0; i < n; i++) {
		int c = entry_put(s, &list[i], renew, now + lease);

		code = code ? code : c;
	}
	if (renew)
		s->renewed_ns = now;
	if (s->n_entries != before && busy_set(s) < 0 && !code)
		code = -errno;
	return code ? fail(err, code, "cannot set the rules of steering") : 0;
}

/* --- interfaces --- */

static int
filter_put(int link, enum bpf_tc_attach_point at, int program, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = link, .attach_point = at);
	LIBBPF_OPTS(bpf_tc_opts, ours, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
	    .prog_fd = program, .flags = BPF_TC_F_REPLACE);
	int code = bpf_tc_attach(&hook, &ours);

	return code ? fail(err, code, "cannot attach the BPF program") : 0;
}

static void
filter_remove(int link, enum bpf_tc_attach_point at)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = link, .attach_point = at);
	LIBBPF_OPTS(bpf_tc_opts, ours, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	bpf_tc_detach(&hook, &ours);
}

static void
filters_remove(int link)
{
	libbpf_set_print(on_said);
	filter_remove(link, BPF_TC_INGRESS);
	filter_remove(link, BPF_TC_EGRESS);
}

void
steering_remove_all(void)
{
	struct if_nameindex *links = if_nameindex();

	for (struct if_nameindex *l = links; l && l->if_index; l++)
		filters_remove((int)l->if_index);
	if_freenameindex(links);
}

static bool
is_attached(const struct steering *s, int link)
{
	for (unsigned i = 0; i < s->n_links; i++)
		if (s->links[i] == link)
			return true;
	return false;
}

int
steering_attach(struct steering *s, int link, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = link, .attach_point = BPF_TC_INGRESS);
	int code;

	if (is_attached(s, link))
		return 0;
	if (s->n_links == LINKS_MAX)
		return err_set(err, -ENOSPC, "too many interfaces");
	code = bpf_tc_hook_create(&hook); /* both hooks in one */
	if (code && code != -EEXIST)
		return fail(err, code, "cannot make room for the BPF program (clsact)");
	code = filter_put(link, BPF_TC_INGRESS, s->ingress, err);
	if (!code)
		code = filter_put(link, BPF_TC_EGRESS, s->egress, err);
	if (code) {
		filters_remove(link);
		return code;
	}
	s->links[s->n_links++] = link;
	return 0;
}

void
steering_forget(struct steering *s, int link)
{
	for (unsigned i = 0; i < s->n_links; i++)
		if (s->links[i] == link) {
			s->links[i] = s->links[--s->n_links];
			return;
		}
}

static bool
filter_is_there(int link, enum bpf_tc_attach_point at)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = link, .attach_point = at);
	LIBBPF_OPTS(bpf_tc_opts, ours, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	return bpf_tc_query(&hook, &ours) == 0;
}

void
steering_check(struct steering *s)
{
	for (unsigned i = s->n_links; i-- > 0;)
		if (!filter_is_there(s->links[i], BPF_TC_INGRESS) ||
		    !filter_is_there(s->links[i], BPF_TC_EGRESS))
			steering_forget(s, s->links[i]);
}

void
steering_close(struct steering **sp)
{
	struct steering *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	for (unsigned i = 0; i < s->n_links; i++)
		filters_remove(s->links[i]);
	bpf_object__close(s->object);
	free(s);
}

/* --- counters --- */

struct steering_counters
steering_count(const struct steering *s)
{
	struct steering_counters sum = { 0 };
	uint64_t *each = calloc((size_t)s->cpus, sizeof(*each));

	for (uint32_t i = 0; each && i < STEERING_COUNTERS; i++)
		if (bpf_map_lookup_elem(s->counters, &i, each) == 0)
			for (int cpu = 0; cpu < s->cpus; cpu++)
				sum.n[i] += each[cpu];
	free(each);
	return sum;
}

const char *
steering_counter_name(enum steering_counter c)
{
	static const char *const names[STEERING_COUNTERS] = {
		[STEERING_STEERED] = "steered",
		[STEERING_KEPT] = "kept",
		[STEERING_OPENED] = "opened",
		[STEERING_COOKIES] = "cookies",
		[STEERING_RETURNED] = "returned",
		[STEERING_EXPIRED] = "expired",
		[STEERING_HUSHED] = "hushed",
		[STEERING_DISGUISED] = "disguised",
	};

	return (unsigned)c < STEERING_COUNTERS ? names[c] : "unknown";
}
