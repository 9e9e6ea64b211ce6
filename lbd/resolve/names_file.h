/*
 * names_file.h - what is known of names, in a file: lbd may be started where no name server answers.
 *
 * A thread of its own writes, so that the main thread never waits for a disk.  The newest text wins over those not
 * yet written; the same text is not written twice, and there is a pause between two.  What fails is logged, once until
 * it works again.  Nothing here knows what the text means but for its first line, which tells whose it is.
 */
#ifndef LBD_RESOLVE_NAMES_FILE_H
#define LBD_RESOLVE_NAMES_FILE_H

#include "common/err.h"
#include "common/str.h"

struct names_file;

/* NULL: out of memory. */
struct names_file *names_file_new(void);

/* Writes what is left, and ends the thread. */
void names_file_free(struct names_file **);

/*
 * What the file holds; the caller frees *text.  0, -ENOENT: there is none, or another -errno with a reason.
 */
int names_file_read(const char *file, char **text, size_t *n, struct err *);

/* That text is to be in that file; both are copied.  Out of memory: logged. */
void names_file_keep(struct names_file *, struct str file, struct str text);

#endif
