/* retry.c - the rules of lbd.json(5), pools[].retry. */
#include "lbd/proxy/retry.h"

#include "common/check.h"

static unsigned
bit_of(enum try_failure failure)
{
	switch (failure) {
	case TRY_CONNECT:
	case TRY_CONNECT_JOINED:
	case TRY_REFUSED:
		return RETRY_CONNECT_FAILURE;
	case TRY_REUSE_UNSENT:
	case TRY_REUSE_DIED:
	case TRY_RESET:
		return RETRY_RESET;
	case TRY_TIMEOUT:
		return RETRY_TIMEOUT;
	case TRY_STATUS_502:
		return RETRY_502;
	case TRY_STATUS_503:
		return RETRY_503;
	case TRY_STATUS_504:
		return RETRY_504;
	}
	CHECK_NEVER();
}

enum retry_verdict
retry_decide(const struct retry_case *r)
{
	if (!r->replayable)
		return RETRY_NO;
	if (r->failure == TRY_REUSE_UNSENT)
		return RETRY_SAME;
	if (r->failure == TRY_REUSE_DIED && r->idempotent)
		return RETRY_SAME;
	if (r->retries >= r->conf->attempts || !(r->conf->on & bit_of(r->failure)))
		return RETRY_NO;
	if (r->failure == TRY_CONNECT || r->failure == TRY_CONNECT_JOINED)
		return RETRY_FREE;
	if (r->failure != TRY_REFUSED && !r->idempotent && !r->conf->non_idempotent)
		return RETRY_NO;
	return r->spared ? RETRY_FREE : RETRY_BUDGETED;
}
