/* check.c - what happens when a belief about our own code is wrong: say which, and abort. */
#include "common/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void
check_failed(const char *file, int line, const char *expression)
{
	fprintf(stderr, "<2>check_failed at=%s:%d what=\"%s\"\n", file, line, expression);
	abort();
}
