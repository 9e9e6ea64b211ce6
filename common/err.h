/*
 * err.h - an error that a human will read: a negative errno and one line of text.
 *
 * The caller owns it, usually on the stack; the last argument of functions that may fail so.  Never
 * NULL.  err_set returns the code so that `return err_set(err, -EINVAL, ...)` reads well.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

struct err {
	int code; /* 0 or -errno */
	char text[512];
};

__attribute__((format(printf, 3, 4))) int
err_set(struct err *err, int code, const char *format, ...);

#endif
