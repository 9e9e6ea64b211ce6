/* realtime.c - three system calls, each of which may be refused without harm. */
#include "hafailover/node/realtime.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { PRIORITY = 10, RTTIME_WANTED_US = 1000000, RTTIME_LEAST_US = 200000 };

static void
on_cpu_limit(int signal)
{
	const struct sched_param normal = { 0 };

	(void)signal;
	sched_setscheduler(0, SCHED_OTHER, &normal);
}

/* SIGXCPU comes at the soft limit, SIGKILL at the hard one. */
static bool
limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_RTTIME, &limit) < 0)
		return false;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < 2 * RTTIME_WANTED_US)
		limit.rlim_max = 2 * RTTIME_WANTED_US; /* allowed with CAP_SYS_RESOURCE */
	limit.rlim_cur = RTTIME_WANTED_US;
	if (setrlimit(RLIMIT_RTTIME, &limit) == 0)
		return true;
	if (getrlimit(RLIMIT_RTTIME, &limit) < 0 || limit.rlim_max < RTTIME_LEAST_US)
		return false;
	limit.rlim_cur = limit.rlim_max / 2;
	return setrlimit(RLIMIT_RTTIME, &limit) == 0;
}

struct realtime
realtime_enter(void)
{
	const struct sched_param high = { .sched_priority = PRIORITY };
	const struct sigaction action = { .sa_handler = on_cpu_limit, .sa_flags = SA_RESTART };
	struct realtime r = { 0 };

	sigaction(SIGXCPU, &action, NULL);
	if (!limit_raise())
		r.why_not = "RLIMIT_RTTIME is too low and cannot be raised";
	else if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &high) == 0)
		r.priority = true;
	else
		r.why_not = "SCHED_RR is not allowed: CAP_SYS_NICE is missing";
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
		r.memory = true;
	else if (!r.why_not)
		r.why_not = "memory cannot be locked: CAP_IPC_LOCK is missing";
	return r;
}
