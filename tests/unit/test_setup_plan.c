/* test_setup_plan.c - addresses against the networks of a machine, and the documents that come of it. */
#include "tests/unit/hactl_page.h"

#include <stdio.h>

#include "hafailover/hactl/setup_plan.h"

/* A machine in two networks of both families, with a single address besides. */
static struct setup_interface interfaces[5];
static struct setup_host machine = { interfaces, 0 };

static void
interface_add(const char *name, const char *address, const char *network)
{
	struct setup_interface *in = &interfaces[machine.n++];
	struct err err;

	snprintf(in->name, sizeof(in->name), "%s", name);
	assert_true(address_parse_host(&in->address, str_of(address)));
	assert_int_equal(network_parse(&in->network, str_of(network), &err), 0);
}

static int
machine_make(void **state)
{
	(void)state;
	interface_add("eth0", "192.0.2.11", "192.0.2.0/24");
	interface_add("eth0", "192.0.2.200", "192.0.2.192/26");
	interface_add("eth1", "198.51.100.0", "198.51.100.0/31");
	interface_add("eth0", "2001:db8::11", "2001:db8::/64");
	interface_add("eth2", "203.0.113.1", "203.0.113.1/32");
	return 0;
}

/* "": it must be right. */
static void
expect(int rc, const struct err *err, const char *wrong, const char *what)
{
	if (*wrong == '\0') {
		if (rc != 0)
			fail_msg("%s: %s", what, err->text);
		return;
	}
	assert_int_not_equal(rc, 0);
	if (!strstr(err->text, wrong))
		fail_msg("%s: \"%s\" instead of \"%s\"", what, err->text, wrong);
}

static void
test_peer(void **state)
{
	static const struct {
		const char *peer, *address, *self, *wrong;
	} rows[] = {
		{ "192.0.2.12", NULL, "192.0.2.11", "" },
		{ "192.0.2.201", NULL, "192.0.2.200", "" },
		{ "192.0.2.201", "192.0.2.11", "192.0.2.11", "" },
		{ "198.51.100.1", NULL, "198.51.100.0", "" },
		{ "2001:db8::12", NULL, "2001:db8::11", "" },
		{ "10.0.0.1", "203.0.113.1", "203.0.113.1", "" },
		{ "192.0.2.11", NULL, NULL, "is an address of this machine" },
		{ "203.0.113.1", NULL, NULL, "is an address of this machine" },
		{ "203.0.113.2", NULL, NULL, "say by --address" },
		{ "10.0.0.1", NULL, NULL, "no interface is in a network with 10.0.0.1" },
		{ "10.0.0.1", "192.0.2.12", NULL, "192.0.2.12 is not an address of this machine" },
		{ "10.0.0.1", "eth0", NULL, "eth0 is not an address" },
		{ "10.0.0.1", "2001:db8::11", NULL, "not of one family" },
		{ "192.0.2.255", NULL, NULL, "no host's address in the network of eth0" },
		{ "192.0.2.0", NULL, NULL, "no host's address in the network of eth0" },
		{ "lb2", NULL, NULL, "must be an IP address, not \"lb2\"" },
		{ "192.0.2.12:80", NULL, NULL, "must be an IP address" },
		{ "[2001:db8::12]", NULL, NULL, "must be an IP address" },
		{ "", NULL, NULL, "must be an IP address" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct setup_wish w = { .peer = rows[i].peer, .address = rows[i].address };
		const struct setup_interface *self = NULL;
		char text[ADDRESS_TEXT_MAX];
		struct err err;

		expect(setup_peer_check(&w, &machine, &self, &err), &err, rows[i].wrong, w.peer);
		if (*rows[i].wrong)
			continue;
		address_format_host(&self->address, text);
		assert_string_equal(text, rows[i].self);
	}
}

static void
test_vips(void **state)
{
	static const struct {
		const char *vips, *interface, *wrong;
	} rows[] = {
		{ "192.0.2.100", NULL, "" },
		{ "192.0.2.100/24", NULL, "" },
		{ "192.0.2.100,2001:db8::100", NULL, "" },
		{ " 192.0.2.100 ,\t192.0.2.101 ", NULL, "" },
		{ "198.51.100.1", NULL, "" },
		{ "10.0.0.100", "eth1", "" },
		{ "10.0.0.100", NULL, "name one with --interface" },
		{ "203.0.113.2", NULL, "name one with --interface" },
		{ "10.0.0.100", "eth7", "no interface eth7" },
		{ "192.0.2.11", NULL, "must be free" },
		{ "192.0.2.100,192.0.2.11/24", NULL,
		    "192.0.2.11/24 is an address of this machine" },
		{ "192.0.2.12", NULL, "is the other node's own address" },
		{ "192.0.2.0", NULL, "no host's address" },
		{ "192.0.2.255", NULL, "no host's address" },
		{ "192.0.2.100,", NULL, "no list of virtual addresses" },
		{ ",192.0.2.100", NULL, "no list of virtual addresses" },
		{ "", NULL, "no list of virtual addresses" },
		{ " ", NULL, "no list of virtual addresses" },
		{ "www.example.com", NULL, "must be an IP address, not \"www.example.com\"" },
		{ "192.0.2.100 192.0.2.101", NULL, "must be an IP address" },
		{ "/24", NULL, "must be an IP address" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct setup_wish w = {
			.peer = "192.0.2.12", .vips = rows[i].vips, .interface = rows[i].interface
		};
		struct err err;

		expect(setup_vips_check(&w, &machine, &err), &err, rows[i].wrong, w.vips);
	}
}

/* 64 pieces are a list, one more is none. */
static void
test_the_longest_list(void **state)
{
	char servers[1024] = "a:1";
	struct setup_wish w = { .servers = servers };
	struct err err;

	(void)state;
	for (size_t i = 1; i < 64; i++)
		strcat(servers, ",a:1");
	assert_int_equal(setup_servers_check(&w, &err), 0);
	strcat(servers, ",a:1");
	assert_int_not_equal(setup_servers_check(&w, &err), 0);
}

static void
test_servers(void **state)
{
	static const struct {
		const char *servers, *wrong;
	} rows[] = {
		{ "10.0.0.11:8080", "" },
		{ "10.0.0.11:8080, web2:80,[2001:db8::21]:65535", "" },
		{ "10.0.0.11", "HOST:PORT, not \"10.0.0.11\"" },
		{ "10.0.0.11:", "HOST:PORT" },
		{ ":80", "HOST:PORT" },
		{ "a:0", "HOST:PORT" },
		{ "a:65536", "HOST:PORT" },
		{ "a:99999999999999999999", "HOST:PORT" },
		{ "a:80x", "HOST:PORT" },
		{ "a:80 b:80", "" }, /* lbd -t sees that */
		{ "a:80,,b:80", "no list of servers" },
		{ "", "no list of servers" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct setup_wish w = { .servers = rows[i].servers };
		struct err err;

		expect(setup_servers_check(&w, &err), &err, rows[i].wrong, w.servers);
	}
}

/* `got` is freed. */
static void
expect_json(json_t *got, const char *expected)
{
	json_t *right = json_of(expected);

	assert_non_null(got);
	if (!json_equal(got, right))
		fail_msg("%s", json_dumps(got, 0));
	json_decref(got);
	json_decref(right);
}

static void
test_documents(void **state)
{
	struct setup_wish w = { .peer = "192.0.2.12",
		.vips = "192.0.2.100, 192.0.2.101/24",
		.servers = "10.0.0.11:8080,web2:80",
		.name = "lb1",
		.peer_name = "lb2",
		.secret_file = "/etc/lbpair/secret" };

	(void)state;
	expect_json(setup_hafailover(&w, &interfaces[0]),
	    "{'nodes':[{'name':'lb1','address':'192.0.2.11'},{'name':'lb2','address':'192.0.2.12'}]"
	    ","
	    "'secret_file':'/etc/lbpair/secret','virtual_ips':['192.0.2.100','192.0.2.101/24']}");
	expect_json(setup_lbd(&w),
	    "{'listeners':[{'bind':['0.0.0.0:80'],'pool':'web'}],'pools':[{'name':'web','servers':"
	    "[{'address':'10.0.0.11:8080'},{'address':'web2:80'}]}]}");
	w.vips = "2001:db8::100";
	w.interface = "eth1";
	expect_json(setup_hafailover(&w, &interfaces[3]),
	    "{'nodes':[{'name':'lb1','address':'2001:db8::11'},{'name':'lb2','address':'192.0.2.12'"
	    "}],"
	    "'secret_file':'/etc/lbpair/secret',"
	    "'virtual_ips':[{'address':'2001:db8::100','interface':'eth1'}]}");
	w.servers = "a:1";
	expect_json(setup_lbd(&w),
	    "{'listeners':[{'bind':['0.0.0.0:80','[::]:80'],'pool':'web'}],"
	    "'pools':[{'name':'web','servers':[{'address':'a:1'}]}]}");
	w.name = "\xff";
	assert_null(setup_hafailover(&w, &interfaces[0]));
}

static void
test_join(void **state)
{
	static const struct {
		const char *document, *wrong;
	} rows[] = {
		{ "{'virtual_ips':['192.0.2.100']}", "" },
		{ "{'virtual_ips':[{'address':'10.0.0.1','interface':'eth1'}]}", "" },
		{ "{'instances':[{'virtual_ips':['192.0.2.100']}]}", "" },
		{ "{}", "" }, /* hafailover -t sees that */
		{ "{'virtual_ips':['10.0.0.1']}", "no interface of this machine" },
		{ "{'virtual_ips':[{'address':'10.0.0.1','interface':'eth7'}]}",
		    "no interface eth7" },
		{ "{'virtual_ips':['192.0.2.100','192.0.2.11']}", "must be free" },
		{ "{'virtual_ips':[7]}", "must be an IP address" },
		{ "{'instances':[{'virtual_ips':['10.0.0.1']}]}", "no interface of this machine" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *document = json_of(rows[i].document);
		struct err err;

		expect(setup_join_check(document, &machine, &err), &err, rows[i].wrong,
		    rows[i].document);
		json_decref(document);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_vips),
		cmocka_unit_test(test_the_longest_list),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests(tests, machine_make, NULL);
}
