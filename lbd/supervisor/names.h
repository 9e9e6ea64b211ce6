/*
 * names.h - host names of servers and their addresses, looked up before a configuration is decoded.
 *
 * Neither supervisor nor proxy process may wait for DNS while they serve.  So a reload decodes with
 * names_resolve, which only reads a table; names that are not in it are noted, a process of its own looks them
 * up, and the next try finds them.  The table then goes to the proxy process, so that both see the same.
 * One table per process, for its main thread.
 */
#ifndef LBD_SUPERVISOR_NAMES_H
#define LBD_SUPERVISOR_NAMES_H

#include "common/address.h"
#include "common/text.h"

/* For config_options.resolve. */
int names_resolve(const char *name, struct address *, struct err *);

void names_clear(void);

/* How many were asked for in vain since names_clear or names_take. */
size_t names_missing(void);

/* Asks the system for those, one by one; waits as long as that takes.  Failures are answers, too. */
void names_look_up(void);

/* The answers as text, one in a line, and back; the table is replaced. */
void names_format(struct text *);
void names_take(struct str);

#endif
