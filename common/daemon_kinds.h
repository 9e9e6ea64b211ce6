/*
 * daemon_kinds.h - kinds of configuration values that every daemon has: where its log goes, where
 * it serves HTTP to its operator; and the printing of a document.
 */
#ifndef COMMON_DAEMON_KINDS_H
#define COMMON_DAEMON_KINDS_H

#include "common/err.h"
#include "common/json_config.h"

/* enum log_sink_type (common/log.h); beside: struct str, the path of a file. */
extern const struct json_kind json_kind_log_sink;

/* struct address; beside: bool, false for "off". */
extern const struct json_kind json_kind_listen_or_off;

/* For json_field.check: NULL when it is one. */
const char *check_absolute_path(struct str);

/*
 * As json_dumps with these flags, but never silently incomplete; `end` follows.  The caller
 * frees it.  NULL: out of memory.
 */
char *json_text(const json_t *, size_t flags, const char *end);

#endif
