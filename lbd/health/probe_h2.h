/*
 * probe_h2.h - an HTTP check of a server that speaks HTTP/2: the same question, the same judgement, in frames.
 *
 * No socket: bytes in, bytes out.
 */
#ifndef LBD_HEALTH_PROBE_H2_H
#define LBD_HEALTH_PROBE_H2_H

#include "lbd/health/probe_http.h"
#include "lbd/http/h2_session.h"

struct probe_h2;

/* `request` is what probe_http_request wrote.  NULL: out of memory. */
struct probe_h2 *probe_h2_new(const struct health_config *, struct str request, bool secure);
void probe_h2_free(struct probe_h2 **);

/* What is to be sent now; borrowed until the next call. */
struct str probe_h2_output(struct probe_h2 *);

/* As probe_http_judge. */
int
probe_h2_judge(struct probe_h2 *, struct str answer, int64_t now, char reason[PROBE_REASON_MAX]);

#endif
