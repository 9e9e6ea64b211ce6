/*
 * retry.h - may this request be tried again after that failure?  Pure.
 *
 * What certainly had no effect may be repeated; what may have had one, only if repeating it is harmless
 * (RFC 9110 9.2.2) or the configuration says so; and always only if we still hold all of it.  Outside the budget is
 * what cannot pile up: nothing was sent, or it is among the last that were in flight to a server that is spared.
 */
#ifndef LBD_PROXY_RETRY_H
#define LBD_PROXY_RETRY_H

#include "lbd/config/config.h"

enum try_failure {
	TRY_CONNECT, /* no connection: nothing was sent */
	TRY_CONNECT_JOINED, /* the same, of one for several: another one's failure was counted */
	TRY_REUSE_UNSENT, /* an idle connection was dead: nothing was sent */
	TRY_REUSE_DIED, /* an idle connection ended before the first byte of a response */
	TRY_REFUSED, /* HTTP/2: the server has not looked at it */
	TRY_RESET, /* a new connection did */
	TRY_TIMEOUT, /* no response in time */
	TRY_STATUS_502,
	TRY_STATUS_503,
	TRY_STATUS_504
};

struct retry_case {
	enum try_failure failure;
	bool idempotent;
	bool replayable; /* we hold all that was sent */
	bool spared; /* the server gets no more for now: its circuit is open */
	uint32_t retries; /* so far */
	const struct retry_config *conf;
};

enum retry_verdict {
	RETRY_NO,
	RETRY_FREE, /* outside the budget */
	RETRY_SAME, /* the race of a reused connection: at once, on a new one, counted as no attempt */
	RETRY_BUDGETED /* if the pool's budget has one left */
};

enum retry_verdict retry_decide(const struct retry_case *);

#endif
