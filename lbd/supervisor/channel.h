/*
 * channel.h - what supervisor and proxy process tell each other, over a socket pair.
 *
 * Messages are packets: a type, a number, a text of any size up to CHANNEL_TEXT_MAX (a long one travels as a
 * memfd) and descriptors.  Nothing ever waits: a peer that does not read makes channel_send fail.  The end of
 * the stream means that the other process is gone; a proxy process then ends at once.
 *
 * The supervisor trusts nothing that it receives: it drops descriptors and bounds every length.
 */
#ifndef LBD_SUPERVISOR_CHANNEL_H
#define LBD_SUPERVISOR_CHANNEL_H

#include "common/err.h"
#include "common/str.h"

enum channel_type {
	/* from the proxy process */
	CHANNEL_READY, /* all workers serve; also the first heartbeat */
	CHANNEL_HEARTBEAT, /* at least every second, while the workers turn; not due before a RESULT */
	CHANNEL_RELOAD, /* asked for on the control socket; number: echoed in the answer */
	CHANNEL_RENEW, /* the same, but lbd.json is not read: only the files that it names */
	CHANNEL_NAMES, /* text for the next process, should this one die: addresses of servers' names */
	CHANNEL_RESULT, /* of CONFIG, number echoed: ok, or a text says why nothing has changed */
	/* from the supervisor */
	CHANNEL_SOCKETS, /* stage these: text is the address, number the index of sockets[0] */
	CHANNEL_FILES, /* text for tls_files_parse: what the CONFIG that follows names */
	CHANNEL_CONFIG, /* text of lbd.json; descriptors below */
	CHANNEL_RELOAD_RESULT, /* number of the RELOAD: ok, or a text */
	CHANNEL_DRAIN, /* close all listening sockets; number: deadline, clock_ns(); then exit 0 */
	CHANNEL_LOGS, /* reopened files: log_fd, access_log_fd */
	CHANNEL_TYPES
};

enum { CHANNEL_SOCKETS_MAX = 128, CHANNEL_TEXT_MAX = 64 << 20 };

/*
 * Descriptors: -1 is none.  With CONFIG: log_fd is there when the log is a file, access_log_fd when the access
 * log is a file or standard error, admin_http_fd when admin.http is on and its address is new.
 */
struct channel_message {
	enum channel_type type;
	bool ok;
	uint64_t number;
	struct str text; /* received: allocated, with a NUL behind it */
	int log_fd, access_log_fd, admin_http_fd;
	int sockets[CHANNEL_SOCKETS_MAX];
	unsigned n_sockets;
};

/* A pair, non-blocking and close-on-exec.  0 or -errno with a reason. */
int channel_pair(int fds[2], struct err *);

/* Everything else empty. */
void channel_message_init(struct channel_message *, enum channel_type);

/* Frees a received message and closes the descriptors in it; whoever keeps one sets it to -1 first. */
void channel_message_fini(struct channel_message *);

/* Borrows text and descriptors.  0 or -errno with a reason. */
int channel_send(int fd, const struct channel_message *, struct err *);

/* 1: a message; 0: the peer is gone; -EAGAIN: nothing there; other -errno with a reason: close the channel. */
int channel_receive(int fd, struct channel_message *, struct err *);

#endif
