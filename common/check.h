/*
 * check.h - CHECK() states what we believe of our own code; it is always compiled in.
 *
 * Never use it for input, peers, the kernel or configuration: those get an error.  A failed check
 * prints file, line and expression and aborts; the supervisor starts a new process.
 */
#ifndef COMMON_CHECK_H
#define COMMON_CHECK_H

_Noreturn void check_failed(const char *file, int line, const char *expression);

#define CHECK(x) ((x) ? (void)0 : check_failed(__FILE__, __LINE__, #x))
#define CHECK_NEVER() check_failed(__FILE__, __LINE__, "reached")

#endif
