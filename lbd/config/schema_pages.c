/* schema_pages.c - error_pages and maintenance_page: the paths of files, whose names say what they hold. */
#include "lbd/config/schema.h"

#include <stdio.h>

#include "common/daemon_kinds.h"

enum { PATH_SIZE_MAX = 4095, STATUS_MAINTENANCE = 503 };

static const struct {
	struct str end, content_type;
} types[] = {
	{ STR(".html"), STR("text/html; charset=utf-8") },
	{ STR(".htm"), STR("text/html; charset=utf-8") },
	{ STR(".txt"), STR("text/plain; charset=utf-8") },
	{ STR(".json"), STR("application/json") },
	{ STR(".xml"), STR("application/xml") },
};

/* Empty: who knows what that is. */
static struct str
content_type_of(struct str path)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct str end = types[i].end;

		if (path.n > end.n && str_eq_nocase(str_skip(path, path.n - end.n), end))
			return types[i].content_type;
	}
	return (struct str){ NULL, 0 };
}

static bool
page_read(
    struct json_decoder *d, const struct json_at *at, unsigned status, struct page_config *page)
{
	const struct str path = { json_string_value(at->value), json_string_length(at->value) };
	char shown[JSON_SHOWN_MAX];

	json_config_show(at->value, shown);
	if (!path.p || path.n < 2 || path.n > PATH_SIZE_MAX || check_absolute_path(path)) {
		json_config_complain(d, at, "found %s, expected an absolute path", shown);
		return false;
	}
	page->content_type = content_type_of(path);
	if (!page->content_type.n) {
		json_config_complain(d, at,
		    "%s does not say what it holds: allowed are .html, .htm, .txt, .json and .xml",
		    shown);
		return false;
	}
	page->path = arena_str(d->arena, path);
	page->status = (uint16_t)status;
	return true;
}

static void
page_decode(struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	(void)f;
	(void)page_read(d, at, STATUS_MAINTENANCE, to);
}

static json_t *
page_encode(const struct json_field *f, const void *from)
{
	const struct page_config *page = from;

	(void)f;
	return json_stringn(page->path.p, page->path.n);
}

static void
page_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "an absolute path");
}

/* 0: it is none. */
static unsigned
status_of(const char *key)
{
	unsigned status = 0;

	if (strlen(key) != 3 || strspn(key, "0123456789") != 3)
		return 0;
	for (int i = 0; i < 3; i++)
		status = status * 10 + (unsigned)(key[i] - '0');
	return status >= 400 && status <= 599 ? status : 0;
}

static void
pages_decode(struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	struct pages_config *pages = to;
	const char *key;
	json_t *value;

	if (!json_is_object(at->value) || json_object_size(at->value) > PAGES_MAX) {
		json_config_mistyped(d, at, f);
		return;
	}
	pages->list =
	    arena_alloc(d->arena, json_object_size(at->value) * sizeof(struct page_config));
	if (!pages->list)
		return;
	json_object_foreach(at->value, key, value)
	{
		const struct json_at one = { at, key, 0, value, at->place, at->is_default };
		unsigned status = status_of(key);

		if (status)
			pages->n += page_read(d, &one, status, &pages->list[pages->n]);
		else
			json_config_complain(d, &one, "is not a status of errors: 400..599");
	}
}

static json_t *
pages_encode(const struct json_field *f, const void *from)
{
	const struct pages_config *pages = from;
	json_t *object = json_object();
	char key[8];

	(void)f;
	for (uint32_t i = 0; object && i < pages->n; i++) {
		const struct page_config *page = &pages->list[i];

		snprintf(key, sizeof(key), "%u", page->status);
		if (json_object_set_new(object, key, json_stringn(page->path.p, page->path.n)) <
		    0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static void
pages_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "an object of up to %d statuses and the paths of files", PAGES_MAX);
}

const struct json_kind config_kind_page = { page_decode, page_encode, page_describe };
const struct json_kind config_kind_pages = { pages_decode, pages_encode, pages_describe };
