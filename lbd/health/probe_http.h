/*
 * probe_http.h - what an HTTP check asks, and what it makes of the answer.  Pure.
 */
#ifndef LBD_HEALTH_PROBE_HTTP_H
#define LBD_HEALTH_PROBE_HTTP_H

#include "lbd/config/config.h"

enum { PROBE_REASON_MAX = 96 };

/*
 * The request.  Without a configured host the Host field is the address that is checked, of a unix
 * socket "localhost".  Its length, or -EMSGSIZE.
 */
int
probe_http_request(const struct health_config *, const struct address *, char *text, size_t size);

/*
 * Judges what came so far of the answer; its body does not matter.  >0 passed, 0 need more, <0
 * failed.  `reason` is set unless 0.  Interim responses are skipped.
 */
int
probe_http_judge(const struct health_config *, struct str answer, char reason[PROBE_REASON_MAX]);

/* The same of a final status alone: >0 passed, <0 failed. */
int probe_http_status(const struct health_config *, unsigned status, char reason[PROBE_REASON_MAX]);

#endif
