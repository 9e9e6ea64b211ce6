/* fuzz_request.c - request heads: see h1_oracle.h for what must hold. */
#include "tests/fuzz/h1_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oracle_parser parser = { .limits = oracle_limits };
	struct str in = { (const char *)data, size };
	const char *wrong;

	for (int small = 0; small < 2; small++) {
		wrong = oracle_head(&parser, in, size / 400 + 1);
		if (wrong) {
			fprintf(stderr, "%s limits: %s\n", small ? "small" : "usual", wrong);
			abort();
		}
		parser.limits = (struct http_limits){ 200, 40, 4 };
	}
	return 0;
}
