/* h2_websocket.c - the key, the proof, and the heads that carry them. */
#include "lbd/proxy/h2_websocket.h"

#include <openssl/evp.h>
#include <string.h>

#include "common/check.h"
#include "lbd/http/h1_fields.h"
#include "lbd/http/h1_format.h"

enum { SHA1_SIZE = 20, KEY_BYTES = 16 };

static const struct str key_name = { "Sec-WebSocket-Key", 17 };
static const struct str accept_name = { "Sec-WebSocket-Accept", 20 };

/* EVP_EncodeBlock ends with a zero byte, for which there is no room. */
static void
base64(char *out, size_t out_n, const void *p, size_t n)
{
	unsigned char text[WEBSOCKET_ACCEPT_SIZE + 1];

	CHECK(out_n < sizeof(text) && (n + 2) / 3 * 4 == out_n);
	EVP_EncodeBlock(text, p, (int)n);
	memcpy(out, text, out_n);
}

void
websocket_key_make(const uint64_t random[2], char key[WEBSOCKET_KEY_SIZE])
{
	base64(key, WEBSOCKET_KEY_SIZE, random, KEY_BYTES);
}

void
websocket_accept(const char key[WEBSOCKET_KEY_SIZE], char accept[WEBSOCKET_ACCEPT_SIZE])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
	char text[WEBSOCKET_KEY_SIZE + sizeof(guid) - 1];
	unsigned char hash[SHA1_SIZE];

	memcpy(text, key, WEBSOCKET_KEY_SIZE);
	memcpy(text + WEBSOCKET_KEY_SIZE, guid, sizeof(guid) - 1);
	CHECK(EVP_Digest(text, sizeof(text), hash, NULL, EVP_sha1(), NULL));
	base64(accept, WEBSOCKET_ACCEPT_SIZE, hash, sizeof(hash));
}

bool
websocket_request(struct http_head *head, const char key[WEBSOCKET_KEY_SIZE])
{
	for (unsigned i = 0; i < head->n_fields; i++)
		if (str_eq_nocase(head->fields[i].name, key_name))
			head->fields[i].one_hop = true;
	if (head->n_fields == HTTP_FIELDS_MAX)
		return false;
	head->fields[head->n_fields++] = (struct http_field){
		.name = key_name,
		.value = { key, WEBSOCKET_KEY_SIZE },
		.id = FIELD_OTHER,
	};
	return true;
}

bool
websocket_response(struct http_head *head, const char key[WEBSOCKET_KEY_SIZE])
{
	char accept[WEBSOCKET_ACCEPT_SIZE];
	unsigned proofs = 0;

	websocket_accept(key, accept);
	for (unsigned i = 0; i < head->n_fields; i++) {
		struct http_field *f = &head->fields[i];

		if (!str_eq_nocase(f->name, accept_name))
			continue;
		if (!str_eq(f->value, (struct str){ accept, sizeof(accept) }))
			return false;
		f->one_hop = true;
		proofs++;
	}
	head->status = 200;
	return proofs == 1;
}

struct str
websocket_key(struct str head)
{
	struct str key = { NULL, 0 };
	struct http_field f;
	ssize_t r = 1;

	head = str_skip(head, (size_t)((char *)memchr(head.p, '\n', head.n) + 1 - head.p));
	for (; (r = h1_field_parse(head, &f)) > H1_EMPTY_LINE; head = str_skip(head, (size_t)r)) {
		if (!str_eq_nocase(f.name, key_name))
			continue;
		if (key.n || f.value.n != WEBSOCKET_KEY_SIZE)
			return (struct str){ NULL, 0 };
		key = f.value;
	}
	return key;
}

bool
websocket_grant(struct http_head *head, struct str key, char accept[WEBSOCKET_ACCEPT_SIZE])
{
	CHECK(key.n == WEBSOCKET_KEY_SIZE);
	websocket_accept(key.p, accept);
	head->status = 101;
	head->reason = str_of(http_reason(101));
	head->has_length = false;
	return head_set_field(head, accept_name, (struct str){ accept, WEBSOCKET_ACCEPT_SIZE });
}
