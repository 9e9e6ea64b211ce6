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
	VARIABLE_SCHEME,
	VARIABLE_URI, /* path and query */
	VARIABLE_COUNT
};

struct template;

/* 0; -EINVAL with what is wrong; -ENOMEM.  The template points into `text`, which must outlive it. */
int template_new(struct arena *, struct str text, const struct template **, struct err *);

/* Values by `write`, the text between them as it is.  Overflow is the writer's. */
void template_write(const struct template *, const struct str values[VARIABLE_COUNT],
    void (*write)(struct writer *, struct str), struct writer *);

/* "client_ip", ... */
const char *variable_name(enum route_variable);

#endif
