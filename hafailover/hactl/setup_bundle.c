/* setup_bundle.c - {"secret":"...","lbd.json":"...","hafailover.json":"..."}. */
#include "hafailover/hactl/setup_bundle.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const char *const setup_file_names[SETUP_FILES] = {
	[SETUP_SECRET] = "secret",
	[SETUP_LBD] = "lbd.json",
	[SETUP_HAFAILOVER] = "hafailover.json",
};

void
setup_bundle_fini(struct setup_bundle *b)
{
	if (b->texts[SETUP_SECRET])
		explicit_bzero(b->texts[SETUP_SECRET], strlen(b->texts[SETUP_SECRET]));
	for (size_t i = 0; i < SETUP_FILES; i++)
		free(b->texts[i]);
	*b = (struct setup_bundle){ { NULL } };
}

json_t *
setup_bundle_pack(const struct setup_bundle *b)
{
	json_t *root = json_object();

	for (size_t i = 0; i < SETUP_FILES; i++) {
		if (!b->texts[i] ||
		    json_object_set_new(root, setup_file_names[i], json_string(b->texts[i])) == 0)
			continue;
		json_decref(root);
		return NULL;
	}
	return root;
}

/* All members are files that we know. */
static bool
is_bundle(const json_t *root)
{
	size_t known = 0;

	for (size_t i = 0; i < SETUP_FILES; i++)
		known += json_is_string(json_object_get(root, setup_file_names[i]));
	return known > 0 && known == json_object_size(root);
}

static int
texts_take(struct setup_bundle *b, const json_t *root, struct err *err)
{
	for (size_t i = 0; i < SETUP_FILES; i++) {
		const json_t *text = json_object_get(root, setup_file_names[i]);

		if (!text && i != SETUP_LBD)
			return err_set(err, -EINVAL, "%s is missing", setup_file_names[i]);
		b->texts[i] = text ? strdup(json_string_value(text)) : NULL;
		if (text && !b->texts[i])
			return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

int
setup_bundle_unpack(struct setup_bundle *b, const char *text, size_t n, struct err *err)
{
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	int rc;

	*b = (struct setup_bundle){ { NULL } };
	if (is_bundle(root))
		rc = texts_take(b, root, err);
	else
		rc = err_set(err, -EINVAL,
		    "standard input is not what hactl setup --export prints on the other node");
	json_decref(root);
	if (rc < 0)
		setup_bundle_fini(b);
	return rc;
}
