/*
 * control_client.h - the other end of control.h, for a command line tool: blocking, with deadlines.
 *
 * Deadlines are clock_ns() times.  A connection carries any number of requests, one after the other; after a
 * subscription, further lines are read one by one.
 */
#ifndef COMMON_CONTROL_CLIENT_H
#define COMMON_CONTROL_CLIENT_H

#include "common/err.h"
#include "common/str.h"

struct control_client;

/* NULL with a reason; err->code is -errno of the connect. */
struct control_client *control_client_open(const char *path, int64_t deadline_ns, struct err *);
void control_client_close(struct control_client **);

/* One request, without its newline.  0 or -errno with a reason. */
int
control_client_send(struct control_client *, struct str line, int64_t deadline_ns, struct err *);

/*
 * The next line without its newline, valid until the next call.  0, or -errno with a reason: -ETIMEDOUT at the
 * deadline, -EPIPE when the daemon closed the connection.
 */
int
control_client_read(struct control_client *, struct str *line, int64_t deadline_ns, struct err *);

/* For poll; what it tells may be half a line. */
int control_client_fd(const struct control_client *);

#endif
