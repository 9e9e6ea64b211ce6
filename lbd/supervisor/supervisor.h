/*
 * supervisor.h - the parent process of lbd: holds the sockets, watches the proxy process, reloads.
 *
 * It parses nothing that came over the network.  SIGHUP reloads, SIGUSR1 reopens log files, SIGTERM and SIGINT
 * drain, and the second of them ends at once.  A proxy process that dies or hangs is replaced; clients that
 * connect meanwhile wait in the kernel's queues.
 */
#ifndef LBD_SUPERVISOR_SUPERVISOR_H
#define LBD_SUPERVISOR_SUPERVISOR_H

#include "lbd/supervisor/proxy_start.h"

struct supervisor_options {
	struct config_options config; /* file and node */
	proxy_main_fn *proxy_main;
	int64_t silence_ns; /* without a heartbeat for so long, the process hangs; 0: 10 s */
};

/* Runs until it is told to end.  Exit status: 0 after a clean drain. */
int supervisor_run(const struct supervisor_options *);

#endif
