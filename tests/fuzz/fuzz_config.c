/*
 * fuzz_config.c - any bytes as lbd.json.
 *
 * Oracle: either there are problems, each a line that is fit for a terminal and begins with the
 * file's name, or the effective configuration loads again to the same text and the same digest.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/problems.h"
#include "lbd/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lbd_config *
load(struct str text, struct problems *problems)
{
	const struct config_options options = {
		.file = "lbd.json",
		.node = "lb1",
		.cpus = 2,
	};

	return config_load(text, &options, problems);
}

static void
check_problems(const struct problems *p)
{
	CHECK(p->n > 0 && p->kept > 0);
	for (size_t i = 0; i < p->kept; i++) {
		CHECK(strncmp(p->list[i].text, "lbd.json:", 9) == 0);
		for (const char *c = p->list[i].text; *c; c++)
			CHECK((unsigned char)*c >= 0x20 && *c != 0x7f &&
			    !(c[0] == '\xc2' && (unsigned char)c[1] < 0xa0));
	}
}

static void
check_round_trip(struct lbd_config *c)
{
	struct problems problems = { 0 };
	char *text = config_print(c), *again;
	struct lbd_config *c2 = load(str_of(text), &problems);

	CHECK(c2);
	again = config_print(c2);
	CHECK(strcmp(text, again) == 0);
	CHECK(strcmp(c->digest, c2->digest) == 0);
	config_unref(&c2);
	free(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problems problems = { 0 };
	char *copy =
	    malloc(size ? size : 1); /* of the exact size, so that ASan sees one byte too far */
	struct lbd_config *c;

	CHECK(copy);
	if (size)
		memcpy(copy, data, size);
	c = load((struct str){ copy, size }, &problems);
	free(copy);
	if (c)
		check_round_trip(c);
	else
		check_problems(&problems);
	config_unref(&c);
	problems_fini(&problems);
	return 0;
}
