/*
 * accounting.h - CPU time of other processes, as the scheduler counts it, over one window of time.
 *
 * The first field of /proc/PID/task/TID/schedstat is nanoseconds of run time, kernel work done on
 * the task's behalf included.  The kernel brings it up to date at each switch and tick, so a window
 * of a second is right within half a per cent.  A thread must not end inside the window.
 */
#ifndef BENCH_ACCOUNTING_H
#define BENCH_ACCOUNTING_H

#include <dirent.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACCOUNT_PIDS = 16 };

struct account {
	const char *name;
	int pids[ACCOUNT_PIDS], n; /* 0: this process */
	uint64_t started_ns, spent_ns;
};

static inline uint64_t
account_process(int pid)
{
	char path[300];
	unsigned long one;
	uint64_t sum = 0;
	struct dirent *task;
	FILE *f;
	DIR *tasks;

	pid = pid ? pid : getpid();
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	if (!(tasks = opendir(path)))
		errx(1, "process %d is gone", pid);
	while ((task = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, task->d_name);
		if (task->d_name[0] == '.' || !(f = fopen(path, "r")))
			continue;
		if (fscanf(f, "%lu", &one) == 1)
			sum += one;
		fclose(f);
	}
	closedir(tasks);
	return sum;
}

static inline uint64_t
account_read(const struct account *a)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < a->n; i++)
		sum += account_process(a->pids[i]);
	return sum;
}

static inline void
account_start(struct account *a)
{
	a->started_ns = account_read(a);
}

static inline void
account_stop(struct account *a)
{
	a->spent_ns = account_read(a) - a->started_ns;
}

/* "NAME=PID,PID"; keeps a pointer into the text. */
static inline void
account_parse(struct account *a, char *text)
{
	char *p = strchr(text, '='), *save = NULL;

	if (!p)
		errx(2, "%s: not NAME=PID[,PID...]", text);
	*p++ = '\0';
	a->name = text;
	for (p = strtok_r(p, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		if (a->n == ACCOUNT_PIDS)
			errx(2, "%s: more than %d processes", text, ACCOUNT_PIDS);
		a->pids[a->n++] = atoi(p);
	}
}

#endif
