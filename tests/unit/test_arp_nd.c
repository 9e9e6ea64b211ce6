/* test_arp_nd.c - frames by the byte, what is read back, and the filters, without a network. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "hafailover/link/arp_nd.h"

static const uint8_t mac[ARP_ND_MAC] = { 2, 0, 0, 0xaa, 0xbb, 0xcc };

static struct address
ip(const char *text)
{
	struct address a = { 0 };

	if (strchr(text, ':')) {
		a.in6.sin6_family = AF_INET6;
		a.len = sizeof(a.in6);
		assert_int_equal(inet_pton(AF_INET6, text, &a.in6.sin6_addr), 1);
		return a;
	}
	a.in.sin_family = AF_INET;
	a.len = sizeof(a.in);
	assert_int_equal(inet_pton(AF_INET, text, &a.in.sin_addr), 1);
	return a;
}

static struct str
slice(const struct arp_nd_frame *f)
{
	return (struct str){ (const char *)f->bytes, f->n };
}

static void
assert_bytes(const struct arp_nd_frame *f, const char *hex)
{
	char text[2 * ARP_ND_FRAME_MAX + 1], wanted[2 * ARP_ND_FRAME_MAX + 1];
	size_t i, n = 0;

	for (i = 0; i < f->n; i++)
		sprintf(text + 2 * i, "%02x", f->bytes[i]);
	for (; *hex; hex++)
		if (*hex != ' ')
			wanted[n++] = *hex;
	wanted[n] = 0;
	assert_string_equal(text, wanted);
}

static void
test_arp_bytes(void **state)
{
	struct address vip = ip("192.0.2.100"), own = ip("192.0.2.11");
	struct arp_nd_frame f;

	(void)state;
	arp_nd_announce(&f, &vip, mac, false);
	assert_bytes(&f,
	    "ffffffffffff 020000aabbcc 0806 0001 0800 06 04 0001"
	    "020000aabbcc c0000264 000000000000 c0000264");
	arp_nd_announce(&f, &vip, mac, true);
	assert_bytes(&f,
	    "ffffffffffff 020000aabbcc 0806 0001 0800 06 04 0002"
	    "020000aabbcc c0000264 020000aabbcc c0000264");
	arp_nd_ask(&f, &vip, NULL, mac);
	assert_bytes(&f,
	    "ffffffffffff 020000aabbcc 0806 0001 0800 06 04 0001"
	    "020000aabbcc 00000000 000000000000 c0000264");
	arp_nd_ask(&f, &vip, &own, mac);
	assert_bytes(&f,
	    "ffffffffffff 020000aabbcc 0806 0001 0800 06 04 0001"
	    "020000aabbcc c000020b 000000000000 c0000264");
}

/* The checksums were computed by another program. */
static void
test_nd_bytes(void **state)
{
	struct address vip = ip("2001:db8::64"), own = ip("fe80::11");
	struct arp_nd_frame f;

	(void)state;
	arp_nd_announce(&f, &vip, mac, false);
	assert_bytes(&f,
	    "333300000001 020000aabbcc 86dd 60000000 0020 3a ff"
	    "20010db8000000000000000000000064 ff020000000000000000000000000001"
	    "88 00 3bef 20000000 20010db8000000000000000000000064 02 01 020000aabbcc");
	arp_nd_ask(&f, &vip, NULL, mac);
	assert_bytes(&f,
	    "3333ff000064 020000aabbcc 86dd 60000000 0018 3a ff"
	    "00000000000000000000000000000000 ff0200000000000000000001ff000064"
	    "87 00 4c27 00000000 20010db8000000000000000000000064");
	arp_nd_ask(&f, &vip, &own, mac);
	assert_bytes(&f,
	    "3333ff000064 020000aabbcc 86dd 60000000 0020 3a ff"
	    "fe800000000000000000000000000011 ff0200000000000000000001ff000064"
	    "87 00 8e15 00000000 20010db8000000000000000000000064 01 01 020000aabbcc");
}

static void
test_read_back(void **state)
{
	static const struct {
		const char *address, *source;
		enum arp_nd_type type;
		const char *means; /* the address of the message */
	} rows[] = {
		{ "192.0.2.100", NULL, ARP_ND_QUESTION, "192.0.2.100" },
		{ "192.0.2.100", "192.0.2.11", ARP_ND_CLAIM, "192.0.2.11" },
		{ "2001:db8::64", NULL, ARP_ND_QUESTION, "2001:db8::64" },
		{ "2001:db8::64", "fe80::1", ARP_ND_QUESTION, "2001:db8::64" },
	};
	struct arp_nd_message m;
	struct arp_nd_frame f;
	struct address to, from, means;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		to = ip(rows[i].address);
		means = ip(rows[i].means);
		if (rows[i].source)
			from = ip(rows[i].source);
		arp_nd_ask(&f, &to, rows[i].source ? &from : NULL, mac);
		assert_int_equal(arp_nd_parse(slice(&f), &m), 1);
		assert_int_equal(m.type, rows[i].type);
		assert_true(address_equal(&m.address, &means));
		assert_memory_equal(m.mac, mac, ARP_ND_MAC);

		for (int reply = 0; reply < 2; reply++) {
			arp_nd_announce(&f, &to, mac, reply);
			assert_int_equal(arp_nd_parse(slice(&f), &m), 1);
			assert_int_equal(m.type, ARP_ND_CLAIM);
			assert_true(address_equal(&m.address, &to));
			assert_memory_equal(m.mac, mac, ARP_ND_MAC);
		}
	}
}

/* Each in a block of exactly its size; any shorter frame is refused. */
static void
test_cut_short(void **state)
{
	static const char *addresses[] = { "192.0.2.100", "2001:db8::64" };
	struct arp_nd_message m;
	struct arp_nd_frame f;
	size_t i, n;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct address a = ip(addresses[i]);

		arp_nd_announce(&f, &a, mac, false);
		for (n = 0; n <= f.n; n++) {
			char *exact = malloc(n ? n : 1);

			assert_non_null(exact);
			memcpy(exact, f.bytes, n);
			assert_int_equal(arp_nd_parse((struct str){ exact, n }, &m), n == f.n);
			free(exact);
		}
	}
}

/* One byte wrong at a time: `keeps` are offsets where that is no reason to refuse. */
static void
test_damaged(void **state)
{
	struct address v4 = ip("192.0.2.100"), v6 = ip("2001:db8::64");
	struct arp_nd_message m;
	struct arp_nd_frame f, bad;
	size_t i;

	(void)state;
	arp_nd_announce(&f, &v6, mac, false);
	for (i = 0; i < f.n; i++) {
		bool outside = i < 12 || (i > 14 && i < 18); /* MACs; traffic class, flow label */

		bad = f;
		bad.bytes[i] ^= 0x0f;
		if (i == 14) /* the traffic class' half */
			continue;
		assert_int_equal(arp_nd_parse(slice(&bad), &m), outside);
	}
	arp_nd_announce(&f, &v4, mac, false);
	for (i = 12; i < 22; i++) {
		bad = f;
		bad.bytes[i] ^= 0x0f;
		assert_int_equal(arp_nd_parse(slice(&bad), &m), 0);
	}
}

/* Puts the right checksum into an ND frame that was changed. */
static void
resum(struct arp_nd_frame *f)
{
	uint32_t sum = (uint32_t)f->n - 54 + 58;
	size_t i;

	f->bytes[56] = f->bytes[57] = 0;
	for (i = 22; i < f->n; i++)
		sum += i % 2 ? f->bytes[i] : (uint32_t)f->bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	f->bytes[56] = (uint8_t)(~sum >> 8);
	f->bytes[57] = (uint8_t)~sum;
}

/* What RFC 4861, 7.1.2, forbids, each with a right checksum. */
static void
test_invalid_adverts(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int accepted;
	} rows[] = {
		{ 21, 255, 1 }, /* as it is */
		{ 21, 254, 0 }, /* came through a router */
		{ 55, 1, 0 }, /* code */
		{ 62, 0xff, 0 }, /* a multicast target */
		{ 58, 0x60, 0 }, /* solicited, and to all */
		{ 79, 0, 0 }, /* an option of length 0 */
		{ 79, 2, 0 }, /* longer than the packet */
		{ 78, 77, 1 }, /* an unknown option: no matter */
		{ 54, 134, 0 }, /* a router's advertisement */
		{ 20, 17, 0 }, /* UDP */
		{ 14, 0x40, 0 }, /* IPv4 */
	};
	struct address a = ip("2001:db8::64");
	struct arp_nd_message m;
	struct arp_nd_frame f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		arp_nd_announce(&f, &a, mac, false);
		f.bytes[rows[i].at] = rows[i].value;
		resum(&f);
		assert_int_equal(arp_nd_parse(slice(&f), &m), rows[i].accepted);
	}
}

/* Without the option it is the Ethernet sender's; with it, the option's. */
static void
test_mac_of_advert(void **state)
{
	static const uint8_t other[ARP_ND_MAC] = { 2, 9, 9, 9, 9, 9 };
	struct address a = ip("2001:db8::64");
	struct arp_nd_message m;
	struct arp_nd_frame f;

	(void)state;
	arp_nd_announce(&f, &a, mac, false);
	memcpy(f.bytes + 6, other, ARP_ND_MAC);
	assert_int_equal(arp_nd_parse(slice(&f), &m), 1);
	assert_memory_equal(m.mac, mac, ARP_ND_MAC);
	f.n -= 8;
	f.bytes[19] = 24;
	resum(&f);
	assert_int_equal(arp_nd_parse(slice(&f), &m), 1);
	assert_memory_equal(m.mac, other, ARP_ND_MAC);
}

/* Ethernet pads to 60 bytes and drivers may hand that over. */
static void
test_padding(void **state)
{
	static const char *addresses[] = { "192.0.2.100", "2001:db8::64" };
	struct arp_nd_message m;
	struct arp_nd_frame f;
	char padded[ARP_ND_FRAME_MAX + 33];
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct address a = ip(addresses[i]);

		memset(padded, 0x5a, sizeof(padded));
		arp_nd_announce(&f, &a, mac, false);
		memcpy(padded, f.bytes, f.n);
		assert_int_equal(arp_nd_parse((struct str){ padded, f.n + 33u }, &m), 1);
		assert_true(address_equal(&m.address, &a));
	}
}

/* A datagram that the filter refuses does not arrive. */
static bool
filter_passes(const struct sock_filter *code, unsigned short n, const struct arp_nd_frame *f)
{
	struct sock_filter copy[ARP_ND_FILTER_MAX];
	struct sock_fprog program = { n, copy };
	char byte;
	int fd[2];
	bool passed;

	memcpy(copy, code, n * sizeof(*code));
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(
	    setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
	(void)!send(fd[0], f->bytes, f->n, 0);
	passed = recv(fd[1], &byte, 1, 0) == 1;
	close(fd[0]);
	close(fd[1]);
	return passed;
}

static void
test_filters(void **state)
{
	struct sock_filter arp[ARP_ND_FILTER_MAX], nd[ARP_ND_FILTER_MAX];
	unsigned short n_arp = arp_nd_filter_arp(arp), n_nd = arp_nd_filter_nd(nd);
	struct address v4 = ip("192.0.2.100"), v6 = ip("2001:db8::64");
	static const size_t fixed_arp[] = { 12, 13, 14, 15, 16, 17, 18, 19 },
			    fixed_nd[] = { 12, 13, 20, 21, 54 };
	struct arp_nd_frame f, bad;
	size_t i;

	(void)state;
	assert_true(n_arp <= ARP_ND_FILTER_MAX && n_nd <= ARP_ND_FILTER_MAX);
	arp_nd_announce(&f, &v4, mac, false);
	assert_true(filter_passes(arp, n_arp, &f));
	assert_false(filter_passes(nd, n_nd, &f));
	for (i = 0; i < sizeof(fixed_arp) / sizeof(*fixed_arp); i++) {
		bad = f;
		bad.bytes[fixed_arp[i]] ^= 1;
		assert_false(filter_passes(arp, n_arp, &bad));
	}
	arp_nd_announce(&f, &v6, mac, false);
	assert_true(filter_passes(nd, n_nd, &f));
	assert_false(filter_passes(arp, n_arp, &f));
	for (i = 0; i < sizeof(fixed_nd) / sizeof(*fixed_nd); i++) {
		bad = f;
		bad.bytes[fixed_nd[i]] ^= 1;
		assert_false(filter_passes(nd, n_nd, &bad));
	}
	arp_nd_ask(&f, &v6, NULL, mac); /* a question: of no interest */
	assert_false(filter_passes(nd, n_nd, &f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp_bytes),
		cmocka_unit_test(test_nd_bytes),
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_invalid_adverts),
		cmocka_unit_test(test_mac_of_advert),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
