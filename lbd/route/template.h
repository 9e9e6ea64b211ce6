/*
 * template.h - a text with {variables} in it, read once and filled in for each request.  Pure.
 *
 * `{{` stands for a brace.
 */
#ifndef LBD_ROUTE_TEMPLATE_H
#define LBD_ROUTE_TEMPLATE_H

#include "common/arena.h"
#include "common/err.h"
#include "lbd/http/h1_format.h"

enum route_variable {
	VARIABLE_CLIENT_IP,
	VARIABLE_HOST, /* as the client wrote it, with the port if there is one */
	VARIABLE_HOSTNAME, /* without */
	VARIABLE_LISTENER,
	VARIABLE_METHOD,
	VARIABLE_NODE,
	VARIABLE_PATH,
	VARIABLE_QUERY, /* without the question mark */
	VARIABLE_REQUEST_ID,
	VARIABLE_SCHEME,
	VARIABLE_SERVER,
	VARIABLE_TLS_VERSION,
	VARIABLE_URI, /* path and query */
	VARIABLE_COUNT
};

/* Sets of them. */
#define VARIABLE_BIT(v) (1u << (v))
enum {
	VARIABLES_ALL = (1 << VARIABLE_COUNT) - 1,
	VARIABLES_BEFORE_SERVER = VARIABLES_ALL & ~(1 << VARIABLE_SERVER)
};

struct template;

/*
 * 0; -EINVAL with what is wrong; -ENOMEM.  The template points into `text`, which must outlive it.  `known` has
 * the bits of those variables that there are.
 */
int template_new(
    struct arena *, struct str text, unsigned known, const struct template **, struct err *);

/* Has it one of those? */
bool template_has(const struct template *, unsigned variables);

/* Values by `write`, the text between them as it is.  Overflow is the writer's. */
void template_write(const struct template *, const struct str values[VARIABLE_COUNT],
    void (*write)(struct writer *, struct str), struct writer *);

#endif
