/* dns_address.c - between 16 bytes, socket addresses and texts. */
#include "lbd/resolve/dns_address.h"

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

enum dns_family
dns_address_family(const struct dns_address *a)
{
	return memcmp(a->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0 ? DNS_IPV4 : DNS_IPV6;
}

bool
dns_address_equal(const struct dns_address *a, const struct dns_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool
dns_address_usable(const struct dns_address *a)
{
	static const uint8_t any[16];

	if (dns_address_family(a) == DNS_IPV4)
		return a->bytes[12] != 0 && a->bytes[12] < 224;
	return memcmp(a->bytes, any, sizeof(any)) != 0 && a->bytes[0] != 0xff;
}

struct address
dns_address_socket(const struct dns_address *a, uint16_t port)
{
	struct address s = { .len = 0 };

	if (dns_address_family(a) == DNS_IPV4) {
		s.in.sin_family = AF_INET;
		s.in.sin_port = htons(port);
		memcpy(&s.in.sin_addr, a->bytes + 12, 4);
		s.len = sizeof(s.in);
	} else {
		s.in6.sin6_family = AF_INET6;
		s.in6.sin6_port = htons(port);
		memcpy(&s.in6.sin6_addr, a->bytes, 16);
		s.len = sizeof(s.in6);
	}
	return s;
}

size_t
dns_address_format(const struct dns_address *a, char text[ADDRESS_TEXT_MAX])
{
	struct address s = dns_address_socket(a, 0);

	return address_format_host(&s, text);
}

bool
dns_address_parse(struct dns_address *a, struct str text)
{
	struct address s;

	if (!address_parse_host(&s, text))
		return false;
	memcpy(a->bytes, mapped_prefix, sizeof(mapped_prefix));
	if (s.sa.sa_family == AF_INET)
		memcpy(a->bytes + 12, &s.in.sin_addr, 4);
	else
		memcpy(a->bytes, &s.in6.sin6_addr, 16);
	return true;
}
