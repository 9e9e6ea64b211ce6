/* head.c - looking things up in a message head. */
#include "lbd/http/head.h"

const struct http_field *
head_field(const struct http_head *head, enum field_id id)
{
	for (unsigned i = 0; i < head->n_fields; i++)
		if (head->fields[i].id == id)
			return &head->fields[i];
	return NULL;
}

struct str
head_value(const struct http_head *head, struct str name)
{
	if (field_id_of(name) == FIELD_HOST) /* of HTTP/2 it is no field */
		return head->host;
	for (unsigned i = 0; i < head->n_fields; i++)
		if (str_eq_nocase(head->fields[i].name, name))
			return head->fields[i].value;
	return (struct str){ NULL, 0 };
}

void
head_remove_field(struct http_head *head, struct str name)
{
	for (unsigned i = 0; i < head->n_fields; i++)
		if (str_eq_nocase(head->fields[i].name, name))
			head->fields[i].one_hop = true;
}

bool
head_add_field(struct http_head *head, struct str name, struct str value)
{
	if (head->n_fields == HTTP_FIELDS_MAX)
		return false;
	head->fields[head->n_fields++] =
	    (struct http_field){ .name = name, .value = value, .id = FIELD_OTHER };
	return true;
}

bool
head_set_field(struct http_head *head, struct str name, struct str value)
{
	head_remove_field(head, name);
	return head_add_field(head, name, value);
}
