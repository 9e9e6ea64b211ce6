/*
 * fuzz_server_name.c - a ClientHello's server_name extension.
 *
 * What is taken for a name, written as that extension, is the input again: nothing was skipped or read twice.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lbd/tls/names.h"
#include "lbd/tls/server_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1);
	unsigned char again[5 + TLS_NAME_MAX];
	struct str name;

	if (!exact)
		abort();
	if (size)
		memcpy(exact, data, size);
	name = tls_server_name((struct str){ exact, size });
	if (name.n > TLS_NAME_MAX || (name.n && name.n + 5 != size))
		abort();
	if (name.n) {
		again[0] = (unsigned char)((name.n + 3) >> 8);
		again[1] = (unsigned char)(name.n + 3);
		again[2] = 0;
		again[3] = (unsigned char)(name.n >> 8);
		again[4] = (unsigned char)name.n;
		memcpy(again + 5, name.p, name.n);
		if (memcmp(again, data, size) != 0 || memchr(name.p, '\0', name.n))
			abort();
	}
	free(exact);
	return 0;
}
