/*
 * arguments.h - the words after a command's name.
 */
#ifndef HAFAILOVER_HACTL_ARGUMENTS_H
#define HAFAILOVER_HACTL_ARGUMENTS_H

#include "hafailover/hactl/hactl.h"

/* --name, or --name VALUE where `value` is set. */
struct flag {
	const char *name; /* without its dashes; NULL ends the list */
	bool *on;
	const char **value;
};

/*
 * Takes the flags out: the other words, at most `most` of them and at least `least`, are then at
 * argv[0]..., NULL behind them.  Their number; -1 after a complaint about the usage.
 */
int arguments_take(const struct command *, const struct flag *, char **argv, int least, int most);

/* A complaint and how it should be.  ENDING_USAGE. */
__attribute__((format(printf, 2, 3))) enum ending
arguments_refuse(const struct command *, const char *format, ...);

#endif
