/* test_hactl_status_view.c - what `hactl status` shows, whole pages. */
#include "tests/unit/hactl_page.h"

#include "common/clock.h"
#include "hafailover/hactl/status_view.h"

/* 2026-11-23T07:30:00Z */
static const int64_t now_wall_ns = INT64_C(1795419000) * NS_PER_S;

static const char ha_good[] =
    "{'ok':true,'node':'lb1','role':'active','since':'2026-11-23T07:20:00.000Z',"
    "'cause':'peer_silent','term':7,'priority':100,"
    "'vips':[{'address':'192.0.2.100/32','interface':'eth0','held':true},"
    "{'address':'2001:db8::100/128','interface':'eth0','held':false}],"
    "'peer':{'name':'lb2','role':'backup','reachable':true,"
    "'paths':[{'address':'192.0.2.12:5405','reachable':true,'hears_us':true},"
    "{'address':'10.0.0.1:5405','reachable':true,'hears_us':false},"
    "{'address':'10.0.0.2:5405','reachable':false}],'term':7,'ready':true},"
    "'config':{'digest':'0123456789abcdef','match':true},"
    "'lbd':{'ready':true,'draining':false,'servers_up':2,'servers_total':3},"
    "'alarms':[{'name':'path_silent','text':'not heard on 10.0.0.2:5405'}]}";

static const char lbd_good[] =
    "{'ok':true,'version':'0.1.0','node':'lb1','uptime_s':600.5,'generation':1,"
    "'config':{'file':'/etc/lbpair/lbd.json','digest':'fedcba9876543210',"
    "'loaded_at':'2026-11-23T07:25:00.000Z'},"
    "'ready':true,'not_ready':null,'draining':false,"
    "'listeners':[{'name':'in','bind':['0.0.0.0:80','[::]:80'],'pool':'web','connections':12}],"
    "'servers_up':2,'servers_total':3,'connections':12,'requests_total':3456,'alarms':[]}";

/* Either may be NULL. */
static void
expect(const char *ha, const char *lbd, struct look look, const char *expected)
{
	json_t *ha_json = ha ? json_of(ha) : NULL, *lbd_json = lbd ? json_of(lbd) : NULL;
	struct status_view view = {
		.ha = ha_json,
		.lbd = lbd_json,
		.ha_why = "hafailover is not reachable: no such socket",
		.lbd_why = "lbd is not reachable: no such socket",
		.now_wall_ns = now_wall_ns,
		.look = look,
	};
	struct text page;

	page_begin(&page);
	status_view_print(&view, &page);
	page_expect(&page, expected);
	json_decref(ha_json);
	json_decref(lbd_json);
}

static const struct look plain = { 0, false };

static void
test_both_nodes(void **state)
{
	(void)state;
	expect(ha_good, lbd_good, plain,
	    "NODE        ROLE    FOR         CAUSE        PRIORITY  TERM  LBD    SERVERS\n"
	    "lb1 (here)  active  10 min 0 s  peer_silent       100     7  ready  2 of 3 up\n"
	    "lb2         backup  -           -                   -     7  ready  -\n"
	    "\n"
	    "VIRTUAL IP         INTERFACE  HELD\n"
	    "192.0.2.100/32     eth0       here\n"
	    "2001:db8::100/128  eth0       no\n"
	    "\n"
	    "PATH TO THE PEER  HEARTBEATS\n"
	    "192.0.2.12:5405   both ways\n"
	    "10.0.0.1:5405     from the peer only\n"
	    "10.0.0.2:5405     missing\n"
	    "\n"
	    "configuration of hafailover: 0123456789abcdef, the same on both nodes\n"
	    "lbd 0.1.0 on lb1: ready, up for 10 min 0 s, 2 of 3 servers up, 12 connections, 3456 "
	    "requests so far\n"
	    "configuration of lbd: fedcba9876543210 from /etc/lbpair/lbd.json, loaded 5 min 0 s "
	    "ago\n"
	    "\n"
	    "! not heard on 10.0.0.2:5405 (path_silent)\n");
}

/* Between the addresses and the configuration. */
static void
expect_hook(const char *hook, const char *line)
{
	char ha[512], page[1024];

	snprintf(ha, sizeof(ha), "{'node':'lb1','role':'active','vips':[],%s'alarms':[]}", hook);
	snprintf(page, sizeof(page),
	    "NODE        ROLE    FOR  CAUSE  PRIORITY  TERM  LBD        SERVERS\n"
	    "lb1 (here)  active  -    -             -     -  not ready  -\n"
	    "%s"
	    "\n"
	    "configuration of hafailover: -, the peer's is not known\n"
	    "lbd is not reachable: no such socket\n",
	    line);
	expect(ha, NULL, plain, page);
}

static void
test_hook(void **state)
{
	(void)state;
	expect_hook("'hook':null,", "");
	expect_hook("'hook':{'name':null,'state':'none','tries':0,'failing':false},", "");
	expect_hook("'hook':{'name':'active','state':'running','tries':1,'failing':false},",
	    "\nhook of role active: runs\n");
	expect_hook("'hook':{'name':'active','state':'done','tries':4,'failing':false},",
	    "\nhook of role active: has succeeded\n");
	expect_hook("'hook':{'name':'active','state':'waiting','tries':4,'failing':true,"
		    "'reason':'exit status 9','again_in_ms':7300},",
	    "\nhook of role active: has failed, try 4 (exit status 9), again in 7 s\n");
	expect_hook("'hook':{'name':'fault','state':'running','tries':2,'failing':true,"
		    "'reason':'timed out after 5000 ms'},",
	    "\nhook of role fault: runs, try 2 (timed out after 5000 ms)\n");
	expect_hook("'hook':{'name':'backup','state':'ending','tries':0,'failing':false},",
	    "\nhook of role backup: waits for the end of another one\n");
}

static void
test_peer_gone_lbd_gone(void **state)
{
	(void)state;
	expect("{'node':'lb2','role':'fault','since':'2026-11-23T07:29:58Z','cause':'lbd_down',"
	       "'term':8,'priority':90,'vips':[],'peer':{'name':'lb1','role':'active',"
	       "'reachable':false,'paths':[],'term':7,'ready':true},"
	       "'config':{'digest':'00','match':null},"
	       "'lbd':{'ready':false,'draining':false,'servers_up':0,'servers_total':3},"
	       "'alarms':['peer_silent']}",
	    NULL, plain,
	    "NODE        ROLE         FOR  CAUSE     PRIORITY  TERM  LBD        SERVERS\n"
	    "lb2 (here)  fault        2 s  lbd_down        90     8  not ready  0 of 3 up\n"
	    "lb1         unreachable  -    -                -     -  -          -\n"
	    "\n"
	    "configuration of hafailover: 00, the peer's is not known\n"
	    "lbd is not reachable: no such socket\n"
	    "\n"
	    "! peer_silent\n");
}

/* A peer in standby is not ready to take over; its lbd may be all the same. */
static void
test_peer_in_standby(void **state)
{
	(void)state;
	expect(
	    "{'node':'lb1','role':'active','lbd':{'ready':true,'servers_up':1,'servers_total':1},"
	    "'peer':{'name':'lb2','role':'standby','reachable':true,'ready':false,'servers_up':1,"
	    "'servers_total':1,'lbd':{'ready':true,'draining':false}},"
	    "'config':{'digest':'1','match':true}}",
	    NULL, plain,
	    "NODE        ROLE     FOR  CAUSE  PRIORITY  TERM  LBD    SERVERS\n"
	    "lb1 (here)  active   -    -             -     -  ready  1 of 1 up\n"
	    "lb2         standby  -    -             -     -  ready  1 of 1 up\n"
	    "\n"
	    "configuration of hafailover: 1, the same on both nodes\n"
	    "lbd is not reachable: no such socket\n");
}

/* What nobody has checked is not up; where lbd does not run nobody checks. */
static void
test_servers_unchecked(void **state)
{
	(void)state;
	expect("{'node':'lb1','role':'active','lbd':{'ready':true,'servers_up':1,'servers_total':4,"
	       "'servers_unchecked':2},'peer':{'name':'lb2','role':'fault','reachable':true,"
	       "'servers_up':0,'servers_unchecked':0,'servers_total':0,'ready':false},"
	       "'config':{'digest':'1','match':true}}",
	    "{'version':'1','node':'lb1','ready':true,'uptime_s':1,'servers_up':1,"
	    "'servers_unchecked':2,'servers_total':4}",
	    plain,
	    "NODE        ROLE    FOR  CAUSE  PRIORITY  TERM  LBD        SERVERS\n"
	    "lb1 (here)  active  -    -             -     -  ready      1 of 4 up, 2 unchecked\n"
	    "lb2         fault   -    -             -     -  not ready  -\n"
	    "\n"
	    "configuration of hafailover: 1, the same on both nodes\n"
	    "lbd 1 on lb1: ready, up for 1 s, 1 of 4 servers up, 2 not checked yet, "
	    "0 connections, 0 requests so far\n"
	    "configuration of lbd: - from -, loaded some time ago\n");
}

static void
test_what_more_the_peer_tells(void **state)
{
	(void)state;
	expect("{'node':'a','role':'standby','since':'2026-11-23T07:29:00Z','cause':'standby',"
	       "'term':1,'priority':1,'peer':{'name':'b','role':'active','reachable':true,"
	       "'since':'2026-11-23T05:29:00Z','cause':'operator','term':2,'priority':50,"
	       "'ready':true,'servers_up':4,'draining':true},'config':{'digest':'1','peer_digest':'"
	       "2','match':false},"
	       "'lbd':{'ready':true,'draining':true,'servers_up':1,'servers_total':1,"
	       "'config':{'digest':'fedcba9876543210','peer_digest':'3','match':false}}}",
	    lbd_good, plain,
	    "NODE      ROLE     FOR        CAUSE     PRIORITY  TERM  LBD       SERVERS\n"
	    "a (here)  standby  1 min 0 s  standby          1     1  draining  1 of 1 up\n"
	    "b         active   2 h 1 min  operator        50     2  draining  4 up\n"
	    "\n"
	    "configuration of hafailover: 1, not the same on both nodes, the peer has 2\n"
	    "lbd 0.1.0 on lb1: ready, up for 10 min 0 s, 2 of 3 servers up, 12 connections, 3456 "
	    "requests so far\n"
	    "configuration of lbd: fedcba9876543210 from /etc/lbpair/lbd.json, loaded 5 min 0 s "
	    "ago\n"
	    "the peer's lbd has another configuration: 3\n");
}

static void
test_lbd_alone(void **state)
{
	(void)state;
	expect(NULL, lbd_good, plain,
	    "hafailover is not reachable: no such socket\n"
	    "\n"
	    "lbd 0.1.0 on lb1: ready, up for 10 min 0 s, 2 of 3 servers up, 12 connections, 3456 "
	    "requests so far\n"
	    "configuration of lbd: fedcba9876543210 from /etc/lbpair/lbd.json, loaded 5 min 0 s "
	    "ago\n"
	    "\n"
	    "LISTENER  BIND                POOL  CONNECTIONS\n"
	    "in        0.0.0.0:80 [::]:80  web            12\n");
	expect(NULL,
	    "{'version':'0.1.0','node':'x','uptime_s':1e300,'generation':3,'ready':false,"
	    "'not_ready':'starting','config':{'digest':'1','file':'f','loaded_at':null},"
	    "'alarms':[{'name':'pool_down','pool':'web','text':'no server is available'}]}",
	    plain,
	    "hafailover is not reachable: no such socket\n"
	    "\n"
	    "lbd 0.1.0 on x: not ready (starting), up for 104166 d 16 h, 0 of 0 servers up, 0 "
	    "connections, 0 requests so far\n"
	    "its proxy process was replaced 2 times\n"
	    "configuration of lbd: 1 from f, loaded some time ago\n"
	    "\n"
	    "! pool web: no server is available (pool_down)\n");
}

/* An old or a strange daemon. */
static void
test_nothing_is_expected_to_be_there(void **state)
{
	(void)state;
	expect("{}", "{}", plain,
	    "NODE      ROLE  FOR  CAUSE  PRIORITY  TERM  LBD        SERVERS\n"
	    "- (here)  -     -    -             -     -  not ready  -\n"
	    "\n"
	    "configuration of hafailover: -, the peer's is not known\n"
	    "lbd - on -: not ready (-), up for 0 ms, 0 of 0 servers up, 0 connections, 0 requests "
	    "so far\n"
	    "configuration of lbd: - from -, loaded some time ago\n");
	expect("{'node':3,'role':[],'since':{},'term':'x','vips':{},'peer':[],'lbd':7,'alarms':1}",
	    "{'config':[],'listeners':'x','alarms':{},'uptime_s':'x'}", plain,
	    "NODE      ROLE  FOR  CAUSE  PRIORITY  TERM  LBD        SERVERS\n"
	    "- (here)  -     -    -             -     -  not ready  -\n"
	    "\n"
	    "configuration of hafailover: -, the peer's is not known\n"
	    "lbd - on -: not ready (-), up for 0 ms, 0 of 0 servers up, 0 connections, 0 requests "
	    "so far\n"
	    "configuration of lbd: - from -, loaded some time ago\n");
}

static const char hostile[] = "\\u001b]0;x\\u0007\\u0000\\n\\u202e";

/* Every text of both answers is hostile: no control character but newlines comes out. */
static void
test_hostile_texts(void **state)
{
	char ha[4096], lbd[4096];
	json_t *ha_json, *lbd_json;
	struct status_view view = {
		.ha_why = "\033[2J", .lbd_why = "\033[2J", .now_wall_ns = now_wall_ns
	};
	struct text page;
	const char *h = hostile;
	unsigned lines = 0;

	(void)state;
	snprintf(ha, sizeof(ha),
	    "{'node':'%s','role':'%s','since':'%s','cause':'%s','vips':[{'address':'%s',"
	    "'interface':'%s'}],'peer':{'name':'%s','role':'%s','reachable':true,"
	    "'paths':[{'address':'%s'}]},'config':{'digest':'%s'},"
	    "'alarms':[{'name':'%s','text':'%s'},'%s']}",
	    h, h, h, h, h, h, h, h, h, h, h, h, h);
	snprintf(lbd, sizeof(lbd),
	    "{'version':'%s','node':'%s','not_ready':'%s','config':{'digest':'%s','file':'%s',"
	    "'loaded_at':'%s'},'listeners':[{'name':'%s','bind':['%s','%s'],'pool':'%s'}],"
	    "'alarms':[{'pool':'%s','name':'%s'}]}",
	    h, h, h, h, h, h, h, h, h, h, h, h);
	for (int with = 0; with < 4; with++) {
		view.ha = ha_json = with & 1 ? json_of(ha) : NULL;
		view.lbd = lbd_json = with & 2 ? json_of(lbd) : NULL;
		page_begin(&page);
		status_view_print(&view, &page);
		assert_false(page.failed);
		assert_int_equal(strlen(page.p), page.n);
		for (size_t i = 0; i < page.n; i++) {
			lines += page.p[i] == '\n';
			assert_true((unsigned char)page.p[i] >= 0x20 || page.p[i] == '\n');
		}
		assert_null(strstr(page.p, "\xe2\x80\xae"));
		text_fini(&page);
		json_decref(ha_json);
		json_decref(lbd_json);
	}
	assert_int_equal(lines, 3 + 15 + 9 + 18);
}

static void
test_colour_and_width(void **state)
{
	(void)state;
	expect("{'node':'a-node-with-a-long-name','role':'active','cause':'a-cause-that-is-long',"
	       "'priority':100,'term':7,'lbd':{'ready':true,'servers_up':0,'servers_total':2},"
	       "'config':{'digest':'1','match':false}}",
	    NULL, (struct look){ 74, true },
	    "\033[1mNODE\033[0m          \033[1mROLE\033[0m    \033[1mFOR\033[0m  "
	    "\033[1mCAUSE\033[0m          \033[1mPRIORITY\033[0m  \033[1mTERM\033[0m  "
	    "\033[1mLBD\033[0m    \033[1mSERVERS\033[0m\n"
	    "\033[1ma-node-with…\033[0m  \033[32mactive\033[0m  -    a-cause-that…  "
	    "     100     7  \033[32mready\033[0m  \033[31m0 of 2 up\033[0m\n"
	    "\n"
	    "configuration of hafailover: 1, not the same on both nodes when the peer was last "
	    "heard\n"
	    "lbd is not reachable: no such socket\n");
}

static void
test_witness(void **state)
{
	(void)state;
	expect("{'node':'lb1','role':'active','peer':{'name':'lb2'},"
	       "'witness':{'address':'203.0.113.5:5406','reachable':true,'verdict':'granted',"
	       "'votes':{'own':true,'peer':false,'witness':true}}}",
	    lbd_good, plain,
	    "NODE        ROLE         FOR  CAUSE  PRIORITY  TERM  LBD        SERVERS\n"
	    "lb1 (here)  active       -    -             -     -  not ready  -\n"
	    "lb2         unreachable  -    -             -     -  -          -\n"
	    "\n"
	    "VOTE OF                   HERE  IT SAYS\n"
	    "witness 203.0.113.5:5406  yes   granted\n"
	    "peer lb2                  no\n"
	    "this node                 yes\n"
	    "\n"
	    "configuration of hafailover: -, the peer's is not known\n"
	    "lbd 0.1.0 on lb1: ready, up for 10 min 0 s, 2 of 3 servers up, 12 connections, 3456 "
	    "requests so far\n"
	    "configuration of lbd: fedcba9876543210 from /etc/lbpair/lbd.json, loaded 5 min 0 s "
	    "ago\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_nodes),
		cmocka_unit_test(test_hook),
		cmocka_unit_test(test_peer_gone_lbd_gone),
		cmocka_unit_test(test_servers_unchecked),
		cmocka_unit_test(test_peer_in_standby),
		cmocka_unit_test(test_what_more_the_peer_tells),
		cmocka_unit_test(test_lbd_alone),
		cmocka_unit_test(test_nothing_is_expected_to_be_there),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_witness),
		cmocka_unit_test(test_colour_and_width),
	};

	return cmocka_run_group_tests(tests, locale_set, NULL);
}
