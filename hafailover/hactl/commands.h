/*
 * commands.h - all commands of hactl: one table, in the order of its help.
 */
#ifndef HAFAILOVER_HACTL_COMMANDS_H
#define HAFAILOVER_HACTL_COMMANDS_H

#include "hafailover/hactl/hactl.h"

extern const struct command commands[]; /* ended by a NULL name */

const struct command *command_find(const char *name);

/* "; did you mean ...?" or "". */
void command_suggest(const char *name, char *text, size_t size);

/* All commands in short; one at length. */
void commands_print(FILE *);
void command_print(const struct command *, FILE *);

/* NAME_command.c */
enum ending status_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending failover_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending standby_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending history_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending servers_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending server_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending reload_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending certificate_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending check_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending top_run(struct hactl *, const struct command *, int argc, char **argv);
enum ending setup_run(struct hactl *, const struct command *, int argc, char **argv);

/* check_command.c: one file; no more than complaints. */
enum ending check_quietly(struct hactl *, char *file);

#endif
