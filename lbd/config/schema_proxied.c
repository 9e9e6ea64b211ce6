/* schema_proxied.c - listeners[].proxy_protocol: true, false, or the networks whose connections begin with it. */
#include "lbd/config/schema.h"

#include <stdio.h>

static const struct json_field network_element = {
	.kind = &json_kind_network,
	.size = sizeof(struct network),
};

static const struct json_field networks = {
	JSON_ROW(NULL, json_kind_array, struct proxied_config, from),
	.beside = offsetof(struct proxied_config, n_from),
	.min = 1,
	.max = 1024,
	.element = &network_element,
};

static void
proxied_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	struct proxied_config *p = to;

	if (json_is_array(at->value))
		networks.kind->decode(d, at, &networks, &p->from);
	else if (json_is_boolean(at->value))
		p->all = json_is_true(at->value);
	else
		json_config_mistyped(d, at, f);
}

static json_t *
proxied_encode(const struct json_field *f, const void *from)
{
	const struct proxied_config *p = from;

	(void)f;
	return p->n_from ? networks.kind->encode(&networks, &p->from) : json_boolean(p->all);
}

static void
proxied_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size,
	    "true, false, or an array of networks such as \"10.0.0.0/8\" or \"2001:db8::/32\"");
}

const struct json_kind config_kind_proxied = { proxied_decode, proxied_encode, proxied_describe };
