/*
 * proxy_start.h - what the supervisor hands to the proxy process, and the door into it.
 *
 * The process was forked a moment ago: its memory is a copy, its descriptors are its own to close, and it has
 * already given up every privilege.  SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGPIPE are ignored there: the
 * channel alone says what to do (channel.h).  Log lines already go where the configuration says.
 */
#ifndef LBD_SUPERVISOR_PROXY_START_H
#define LBD_SUPERVISOR_PROXY_START_H

#include "lbd/config/config.h"
#include "lbd/supervisor/listen_table.h"
#include "lbd/tls/files.h"

struct proxy_start {
	struct lbd_config *config; /* borrowed: take a reference */
	struct config_options options; /* for the text of CHANNEL_CONFIG */
	void
	    *servers; /* the shared half of the server table; an earlier process's state is in it */
	struct str names; /* what an earlier process said with CHANNEL_NAMES */
	struct listen_table *listens; /* every address of `config` is in it */
	struct tls_files *files; /* all that `config` names */
	int control_fd; /* listening */
	int admin_http_fd; /* listening; -1: off */
	int access_log_fd; /* file or standard error; -1: off, syslog or journal */
	int channel_fd;
	unsigned generation; /* 1 at first, one more after each crash */
};

/* Serves until told to drain, or until the channel ends.  Returns the exit status: 0 after a drain. */
typedef int proxy_main_fn(struct proxy_start *);
proxy_main_fn proxy_process_run;

#endif
