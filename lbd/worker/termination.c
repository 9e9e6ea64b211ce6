/* termination.c - names of the ends of an exchange; refusals keep the parsers' names. */
#include "lbd/worker/termination.h"

#include "common/check.h"

static const char *
end_name(enum termination t)
{
	static const char *const names[TERMINATION_COUNT] = {
		[END_OK] = "ok",
		[END_CLIENT_CLOSED] = "client_closed",
		[END_CLIENT_HEADER_TIMEOUT] = "client_header_timeout",
		[END_CLIENT_BODY_TIMEOUT] = "client_body_timeout",
		[END_CLIENT_STALLED] = "client_stalled",
		[END_NO_SERVER] = "no_server",
		[END_QUEUE_TIMEOUT] = "queue_timeout",
		[END_QUEUE_FULL] = "queue_full",
		[END_CONNECT_FAILED] = "connect_failed",
		[END_CONNECT_TIMEOUT] = "connect_timeout",
		[END_SERVER_TLS] = "server_tls",
		[END_SERVER_TLS_TIMEOUT] = "server_tls_timeout",
		[END_SERVER_RESET] = "server_reset",
		[END_SERVER_BAD_RESPONSE] = "server_bad_response",
		[END_SERVER_TIMEOUT] = "server_timeout",
		[END_TUNNEL_IDLE] = "tunnel_idle",
		[END_SERVER_DOWN] = "server_down",
		[END_CLIENT_FIN_TIMEOUT] = "client_fin_timeout",
		[END_SERVER_FIN_TIMEOUT] = "server_fin_timeout",
		[END_CONNECTIONS_LIMIT] = "connections_limit",
		[END_CLIENT_LIMIT] = "client_limit",
		[END_RATE_LIMIT] = "rate_limit",
		[END_ACCESS_DENIED] = "access_denied",
		[END_OUT_OF_MEMORY] = "out_of_memory",
		[END_CLIENT_HELLO] = "client_hello",
		[END_CLIENT_HELLO_TIMEOUT] = "client_hello_timeout",
		[END_NO_ROUTE] = "no_route",
		[END_NO_RESOURCES] = "no_resources",
		[END_DRAIN] = "drain",
	};

	CHECK(names[t]);
	return names[t];
}

const char *
termination_name(enum termination t)
{
	CHECK((unsigned)t < TERMINATION_COUNT);
	if (t != END_OK && (int)t < REFUSE_COUNT)
		return refusal_name((enum refusal)t);
	return end_name(t);
}
