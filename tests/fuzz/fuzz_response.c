/*
 * fuzz_response.c - response heads: see h1_oracle.h for what must hold.
 *
 * The first byte says which request is answered.
 */
#include "tests/fuzz/h1_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oracle_parser parser = { .response = true, .limits = oracle_limits };
	struct str in = { (const char *)data, size };
	const char *wrong;

	if (size == 0)
		return 0;
	parser.expected.method = data[0] & 1 ? METHOD_HEAD : METHOD_GET;
	parser.expected.upgrade = data[0] & 2;
	in = str_skip(in, 1);
	for (int small = 0; small < 2; small++) {
		wrong = oracle_head(&parser, in, size / 400 + 1);
		if (wrong) {
			fprintf(stderr, "%s limits: %s\n", small ? "small" : "usual", wrong);
			abort();
		}
		parser.limits = (struct http_limits){ 200, 0, 4 };
	}
	return 0;
}
