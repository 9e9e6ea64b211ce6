/*
 * prober.h - checks every server of the configuration, on the main thread's loop.
 *
 * Verdicts and counts live in the server table, so that they survive reloads and a crash of the
 * process.  A verdict changes by health_rule.h; each change is logged (server_up, server_down), as
 * is a server that workers could not reach (server_unreachable, server_reachable).  A success makes
 * it reachable again at once.
 *
 * Checks shake hands as the pool's requests do, with the same verification.  An https check of a pool
 * whose requests are plain asks only whether the server works, not who it is.
 *
 * With `"type": "none"` nothing is checked: the server counts as good, and one that workers could
 * not reach is tried again after 5 s.  Servers in drain or maintenance are checked like all others.
 *
 * At most PROBER_CHECKS_MAX checks run at once; the others wait, and their time starts when they
 * start.
 */
#ifndef LBD_HEALTH_PROBER_H
#define LBD_HEALTH_PROBER_H

#include <ev.h>

#include "lbd/config/config.h"
#include "lbd/tls/files.h"

enum { PROBER_CHECKS_MAX = 64 };

struct prober;

/* NULL: out of memory.  `down` hears of servers that are found down where health_check.on_down is "close". */
struct prober *prober_new(
    struct ev_loop *, struct server_table *, void (*down)(void *, uint32_t slot), void *down_arg);
void prober_free(struct prober **);

/*
 * Before prober_apply of that configuration: makes all that is needed for it, and changes nothing.  Files NULL: its
 * pools are the present ones, with other servers.  0, or -errno with a reason.
 */
int
prober_prepare(struct prober *, const struct lbd_config *, const struct tls_files *, struct err *);

/*
 * Checks the servers of that configuration from now on; the prober reads it until the next call or
 * prober_free.  Servers whose address and check are the same as before keep their schedule and a
 * check under way.  New ones are checked soon, the first of them at once; changed ones too, and a
 * server at another address is unknown again.
 */
void prober_apply(struct prober *, const struct lbd_config *);

/* Workers cannot reach the server: check it now, or a fast interval after its last check began. */
void prober_suspect(struct prober *, uint32_t slot);

/*
 * What the last check of the server found, "" if there was none; and when, by the wall clock, 0 if
 * never.
 */
const char *prober_reason(const struct prober *, uint32_t slot);
int64_t prober_checked_wall_ns(const struct prober *, uint32_t slot);

/* Checks under way and waiting for their turn. */
uint32_t prober_running(const struct prober *);
uint32_t prober_waiting(const struct prober *);

#endif
