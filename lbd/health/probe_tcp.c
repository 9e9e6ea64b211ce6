/* probe_tcp.c - a text in a text. */
#include "lbd/health/probe_tcp.h"

#include <stdio.h>

#include "common/log.h"

enum { SHOWN_MAX = 40 };

static void
say_unexpected(struct str answer, char reason[PROBE_REASON_MAX])
{
	bool cut = answer.n > SHOWN_MAX;
	struct log_value shown;

	answer.n = cut ? SHOWN_MAX : answer.n;
	shown = log_quoted(answer);
	snprintf(
	    reason, PROBE_REASON_MAX, "unexpected answer %.70s%s", shown.text, cut ? "..." : "");
}

int
probe_tcp_judge(
    const struct health_config *h, struct str answer, bool last, char reason[PROBE_REASON_MAX])
{
	struct str expect = probe_tcp_expect(h);

	if (answer.n && memmem(answer.p, answer.n, expect.p, expect.n)) {
		snprintf(reason, PROBE_REASON_MAX, "answered as expected");
		return 1;
	}
	if (!last)
		return 0;
	say_unexpected(answer, reason);
	return -1;
}
