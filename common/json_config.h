/*
 * json_config.h - configuration files: JSON text to a C struct and back, by tables.
 *
 * One table of rows per object; a row names the key, the member that it fills, its kind,
 * default, range and checks.  The same rows decode, describe what is allowed in messages, and
 * print the effective configuration. Unknown keys are errors, `comment` is allowed in every
 * object and ignored.  Nothing stops at the first error: each problem becomes one line
 * "FILE:LINE: PATH: what was found, what is allowed".
 *
 * Decoded values live in the caller's arena and borrow nothing from the text.  One thread at a
 * time.
 */
#ifndef COMMON_JSON_CONFIG_H
#define COMMON_JSON_CONFIG_H

#include <jansson.h>
#include <stdbool.h>

#include "common/arena.h"
#include "common/json_places.h"
#include "common/problems.h"
#include "common/str.h"

struct json_field;

/* A value in the document and the way to it. */
struct json_at {
	const struct json_at *up; /* NULL: the whole document */
	const char *key; /* NULL: an element of an array */
	size_t index;
	json_t *value;
	uint32_t place; /* where it stands; a default: where it is missing */
	bool is_default; /* it comes from a row, not from the text */
};

struct json_decoder {
	const char *file; /* its name in messages */
	struct problems *problems;
	struct arena *arena;
	void *context; /* for kinds of the caller's own */
	/* private */
	json_t *root;
	struct json_places places;
};

/* How values of one kind are read, written and described.  A daemon may add its own. */
struct json_kind {
	/* Fills *to or complains.  `to` is the member that the row names. */
	void (*decode)(
	    struct json_decoder *, const struct json_at *, const struct json_field *, void *to);
	/* A new reference; NULL: out of memory. */
	json_t *(*encode)(const struct json_field *, const void *from);
	/* What is allowed, for messages: "true or false". */
	void (*describe)(const struct json_field *, char *text, size_t size);
};

struct json_choice {
	const char *name; /* NULL ends the list; of equal values the first is the printed name */
	int value;
};

struct json_field {
	const char *key; /* NULL ends the table */
	const struct json_kind *kind;
	size_t offset, size; /* of the member */
	/*
	 * The default as JSON text.  NULL, and not required: absent means all bytes 0, and that
	 * value is not printed.
	 */
	const char *fallback;
	bool required;
	int64_t min, max; /* of a number, a duration (ns), a size; of a text's or array's length */
	const char *expects; /* instead of the kind's own description */
	/* Texts: NULL when good, else what is wrong with it. */
	const char *(*check)(struct str);
	/*
	 * Looks at the finished object: NULL when the key may be given, else why not.  Barred
	 * keys are not printed.
	 */
	const char *(*barred)(const void *object);
	const struct json_choice *choices;
	const struct json_field *object; /* rows of a nested object, or of an array's objects */
	const struct json_field *element; /* arrays: one row for all elements */
	size_t
	    beside; /* offset of a second member: an array's count (uint32_t); else the kind says */
};

/* The start of a row: its key, its kind, and the member that it fills. */
#define JSON_ROW(name, how, type, member)                                                          \
	.key = (name), .kind = &(how), .offset = offsetof(type, member),                           \
	.size = sizeof(((type *)NULL)->member)

extern const struct json_kind json_kind_string; /* struct str */
extern const struct json_kind json_kind_bool; /* bool */
extern const struct json_kind json_kind_integer; /* unsigned, 2, 4 or 8 bytes */
extern const struct json_kind json_kind_duration; /* int64_t, nanoseconds */
extern const struct json_kind json_kind_size; /* unsigned, 4 or 8 bytes */
extern const struct json_kind json_kind_choice; /* int or an enum */
extern const struct json_kind json_kind_choices; /* array of names; unsigned, or-ed values */
extern const struct json_kind json_kind_address; /* struct address */
extern const struct json_kind json_kind_network; /* struct network */
extern const struct json_kind json_kind_object; /* nested struct */
extern const struct json_kind json_kind_array; /* pointer to elements */

/*
 * Reads the text: -EINVAL (the problem is listed) or -ENOMEM.  Closed by json_config_close in
 * any case.
 */
int json_config_open(struct json_decoder *, struct str text);
void json_config_close(struct json_decoder *);

/* The whole document by that table into *to (zeroed before).  Problems are listed. */
void json_config_decode(struct json_decoder *, const struct json_field *, void *to);

/*
 * A problem found by cross-checks: "PATH: text" as in "pools[0].name: is missing".  The line is
 * that of the path, or of the nearest object around it when a default is to blame.
 */
__attribute__((format(printf, 2, 3))) void
json_config_problem(struct json_decoder *, const char *format, ...);

/* For kinds: a problem with this value. */
__attribute__((format(printf, 3, 4))) void
json_config_complain(struct json_decoder *, const struct json_at *, const char *format, ...);

/* For kinds: the value has another type than the row wants. */
void json_config_mistyped(struct json_decoder *, const struct json_at *, const struct json_field *);

/* For kinds: what is allowed, by the row. */
void json_config_describe(const struct json_field *, char *text, size_t size);

/* A value as a message shows it: quoted, control characters escaped, cut when long. */
enum { JSON_SHOWN_MAX = 256 };
void json_config_show(const json_t *, char text[JSON_SHOWN_MAX]);
void json_config_quote(struct str, char text[JSON_SHOWN_MAX]);

/* The second member of a row, given the first. */
static inline void *
json_config_beside(const struct json_field *f, void *to)
{
	return (char *)to - f->offset + f->beside;
}

static inline const void *
json_config_beside_const(const struct json_field *f, const void *from)
{
	return (const char *)from - f->offset + f->beside;
}

/* The effective configuration.  NULL: out of memory. */
json_t *json_config_encode(const struct json_field *, const void *from);

#endif
