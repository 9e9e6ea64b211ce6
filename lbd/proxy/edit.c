/* edit.c - values are written into a room of the worker's own; fields in the head point to them. */
#include "lbd/proxy/edit.h"

#include <stdlib.h>

#include "lbd/proxy/route.h"

enum { EDIT_ROOM = 32 * 1024 };

struct editing {
	struct http_head *head;
	struct writer out; /* the room for values */
	struct str values[VARIABLE_COUNT];
};

static bool
editing_begin(struct editing *e, struct exchange *x)
{
	struct worker *w = exchange_worker(x);
	struct proxy *proxy = w->proxy;

	if (!proxy->edit_room)
		proxy->edit_room = malloc(EDIT_ROOM);
	if (!proxy->edit_room)
		return false;
	e->head = &w->head;
	e->out = (struct writer){ proxy->edit_room, proxy->edit_room + EDIT_ROOM, false };
	return true;
}

static struct str
value_of(struct editing *e, const struct field_edit *edit)
{
	char *start = e->out.p;

	if (!edit->template)
		return edit->value;
	template_write(edit->template, e->values, write_str, &e->out);
	return (struct str){ start, (size_t)(e->out.p - start) };
}

static bool
edits_apply(struct editing *e, const struct header_edits *edits, struct str *host)
{
	bool room = true;

	for (uint32_t i = 0; i < edits->n_remove; i++)
		head_remove_field(e->head, edits->remove[i]);
	for (uint32_t i = 0; i < edits->n_set && room; i++) {
		if (edits->set[i].template)
			room = head_set_field(
			    e->head, edits->set[i].name, value_of(e, &edits->set[i]));
		else
			*host = edits->set[i].value;
	}
	for (uint32_t i = 0; i < edits->n_add && room; i++)
		room = head_add_field(e->head, edits->add[i].name, value_of(e, &edits->add[i]));
	return room && !e->out.overflow;
}

static bool
both_apply(struct editing *e, const struct header_edits *first, const struct header_edits *second,
    struct str *host)
{
	return edits_apply(e, first, host) && (!second || edits_apply(e, second, host));
}

static bool
changes(const struct exchange *x)
{
	return x->route && x->route->changes;
}

bool
edit_request(struct exchange *x, struct str request_id, struct str *host)
{
	const struct header_edits *first = &x->listener->request_headers;
	const struct header_edits *second = changes(x) ? &x->route->request_headers : NULL;
	const struct http_head *head = &exchange_worker(x)->head;
	struct editing e;

	*host = (struct str){ NULL, 0 };
	if (!header_edits_any(first) && (!second || !header_edits_any(second)))
		return true;
	if (!editing_begin(&e, x))
		return false;
	route_variables(x,
	    &(struct formatted){ .method = head->method,
		.target = head->target,
		.host = head->host,
		.request_id = request_id },
	    e.values);
	return both_apply(&e, first, second, host);
}

bool
edit_response(struct exchange *x)
{
	const struct header_edits *first = &x->listener->response_headers;
	const struct header_edits *second = changes(x) ? &x->route->response_headers : NULL;
	struct editing e;
	struct str none;

	if (!header_edits_any(first) && (!second || !header_edits_any(second)))
		return true;
	if (!editing_begin(&e, x))
		return false;
	route_variables(x, &x->sent, e.values);
	return both_apply(&e, first, second, &none);
}
