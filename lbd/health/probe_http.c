/* probe_http.c - one GET, and the status of its answer. */
#include "lbd/health/probe_http.h"

#include <errno.h>
#include <stdio.h>

static const struct http_limits limits = { .head_size = 65536, .fields = HTTP_FIELDS_MAX };

int
probe_http_request(
    const struct health_config *c, const struct address *address, char *text, size_t size)
{
	char address_text[ADDRESS_TEXT_MAX];
	struct str host = c->host;
	int n;

	if (!host.n && address->sa.sa_family == AF_UNIX)
		host = STR("localhost");
	else if (!host.n)
		host = (struct str){ address_text, address_format(address, address_text) };
	n = snprintf(text, size,
	    "GET %.*s HTTP/1.1\r\n"
	    "Host: %.*s\r\n"
	    "User-Agent: lbpair-check\r\n"
	    "Accept: */*\r\n"
	    "Connection: close\r\n"
	    "\r\n",
	    STR_ARG(c->path), STR_ARG(host));
	return n < 0 || (size_t)n >= size ? -EMSGSIZE : n;
}

static bool
status_expected(const struct health_config *c, unsigned status)
{
	uint32_t i;

	for (i = 0; i < c->n_expect_status; i++)
		if (c->expect_status[i] == status)
			return true;
	return false;
}

int
probe_http_status(const struct health_config *c, unsigned status, char reason[PROBE_REASON_MAX])
{
	snprintf(reason, PROBE_REASON_MAX, "status %u", status);
	return status_expected(c, status) ? 1 : -1;
}

int
probe_http_judge(const struct health_config *c, struct str answer, char reason[PROBE_REASON_MAX])
{
	static const struct h1_expected expected = { .method = METHOD_GET };
	struct http_head head;
	ssize_t eaten;

	do {
		eaten = h1_parse_response(answer, &limits, expected, &head);
		if (eaten == 0)
			return 0;
		if (eaten < 0) {
			snprintf(reason, PROBE_REASON_MAX, "bad response (%s)",
			    refusal_name((enum refusal) - eaten));
			return -1;
		}
		answer = str_skip(answer, (size_t)eaten);
	} while (head.status < 200);
	return probe_http_status(c, head.status, reason);
}
