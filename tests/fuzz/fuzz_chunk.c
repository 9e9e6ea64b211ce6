/* fuzz_chunk.c - chunked bodies and trailers: see body_oracle.h for what must hold. */
#include "tests/fuzz/body_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *wrong = oracle_body((struct str){ (const char *)data, size }, size / 40 + 1);

	if (wrong) {
		fprintf(stderr, "%s\n", wrong);
		abort();
	}
	return 0;
}
