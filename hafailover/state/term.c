/* term.c - {"term":N,"standby":B} */
#include "hafailover/state/term.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/file.h"

enum { TERM_SIZE_MAX = 4096 };

static bool
parse(struct str text, struct term *t)
{
	json_t *o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *term = json_object_get(o, "term"), *standby = json_object_get(o, "standby");
	bool good =
	    json_is_integer(term) && json_integer_value(term) >= 0 && json_is_boolean(standby);

	if (good)
		*t = (struct term){ (uint64_t)json_integer_value(term), json_is_true(standby) };
	json_decref(o);
	return good;
}

int
term_read(const char *directory, struct term *t, struct err *err)
{
	char path[PATH_MAX], *text;
	size_t n;
	int code;

	*t = (struct term){ 0 };
	snprintf(path, sizeof(path), "%s/" TERM_FILE, directory);
	code = file_read(path, TERM_SIZE_MAX, &text, &n, err);
	if (code == -ENOENT)
		return 0;
	if (code)
		return code;
	if (!parse((struct str){ text, n }, t))
		code = err_set(err, -EINVAL, "%s is damaged: it starts anew at term 0", path);
	free(text);
	return code;
}

int
term_write(const char *directory, const struct term *t, struct err *err)
{
	char path[PATH_MAX], text[80];
	int n = snprintf(text, sizeof(text), "{\"term\":%llu,\"standby\":%s}\n",
	    (unsigned long long)t->term, t->standby ? "true" : "false");

	snprintf(path, sizeof(path), "%s/" TERM_FILE, directory);
	return file_replace(path, (struct str){ text, (size_t)n }, err);
}
