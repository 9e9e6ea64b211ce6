/*
 * probe_tcp.h - what a TCP check says, and what it makes of the answer.  Pure.
 *
 * Without anything to say or to expect, a connection is proof enough.
 */
#ifndef LBD_HEALTH_PROBE_TCP_H
#define LBD_HEALTH_PROBE_TCP_H

#include "lbd/health/probe_http.h"

/* Empty: nothing is said. */
static inline struct str
probe_tcp_send(const struct health_config *h)
{
	return h->send.n ? h->send : h->send_hex;
}

/* Empty: whatever the server says, or nothing, is well. */
static inline struct str
probe_tcp_expect(const struct health_config *h)
{
	return h->expect.n ? h->expect : h->expect_hex;
}

/*
 * Judges what came so far: >0 what is expected is in it, 0 need more, <0 it is not, for `last` says that no more
 * comes.  `reason` is set unless 0.
 */
int probe_tcp_judge(
    const struct health_config *, struct str answer, bool last, char reason[PROBE_REASON_MAX]);

#endif
