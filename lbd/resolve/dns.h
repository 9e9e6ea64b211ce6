/*
 * dns.h - asks for the addresses of a name: /etc/hosts, then DNS by c-ares, on an event loop; never waits.
 *
 * c-ares chooses servers, repeats questions, and takes a truncated answer again over TCP.  Its sockets are watchers
 * of the loop, its time-outs a timer.  Servers, search domains and the like are those of /etc/resolv.conf when the
 * struct is made, but for what the configuration says.  One thread: the loop's.
 */
#ifndef LBD_RESOLVE_DNS_H
#define LBD_RESOLVE_DNS_H

#include <ev.h>

#include "lbd/config/config.h"
#include "lbd/resolve/resolution.h"

struct dns;

/* An answer for each family; they are gone when it returns.  A family that is not wanted has DNS_NO_DATA. */
typedef void dns_answer_fn(void *arg, const struct dns_answer[DNS_FAMILIES]);

/*
 * Borrows settings and counts: of questions by what became of them; /etc/hosts is read, not asked.  NULL with a
 * reason.
 */
struct dns *dns_new(
    struct ev_loop *, const struct resolver_config *, uint64_t counts[DNS_RESULTS], struct err *);

/* Questions under way are not answered any more. */
void dns_free(struct dns **);

/* The answer comes later, or before this returns. */
void dns_ask(struct dns *, struct str name, dns_answer_fn *, void *arg);

#endif
