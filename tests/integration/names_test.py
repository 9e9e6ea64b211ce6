"""Servers by DNS: all addresses of a name, changes under load, and what was known when DNS fails."""

import threading

from addresses_test import has_ipv6
from dns_peer import AAAA, NXDOMAIN, REFUSED, SERVFAIL, NameServer, Zone
from hactl_test import hactl
from harness import Backend, Lbd, Load, Skip, check, config, equal, held_by, request, wait_for
from server_tls_test import TlsBackend
from sticky_test import numbered, placed, secret
from tcp_test import shout, tcp
from tls_peers import client as tls_client, tls_config, usual

FAST = {"min_ttl": "100ms", "max_ttl": "1s", "timeout": "100ms", "attempts": 1, "hosts": False}


def named(dns, port, make=config, pool=None, server=None, **resolver):
    return make({"name": "app", "address": f"app.test:{port}", **(server or {})}, pool=pool,
                resolver={"servers": [dns.address], **FAST, **resolver})


def same_port(*hosts):
    """Servers on several addresses, with one port."""
    first = Backend(listen=hosts[0])
    return [first, *(Backend(listen=host, port=first.port) for host in hosts[1:])]


def names_of(lbd):
    return {s["name"]: s for s in lbd.command("servers")["servers"]}


def alarms(lbd):
    return {a["name"] for a in lbd.command("status")["alarms"]}


def wait_names(lbd, *expected):
    wait_for(lambda: set(names_of(lbd)) == set(expected), f"servers {expected}, not {set(names_of(lbd))}", step=0.02)


def test_all_addresses_of_both_families():
    if not has_ipv6():
        raise Skip("no IPv6 on this machine")
    one, two, six = same_port("127.0.0.1", "127.0.0.2", "::1")
    with one, two, six, NameServer(app_test=Zone("127.0.0.2", "::1", "127.0.0.1")) as dns:
        with Lbd(named(dns, one.port)) as lbd:
            for _ in range(6):
                equal(lbd.get().status, 200, "status")
            equal([len(b.requests) for b in (one, two, six)], [2, 2, 2], "requests of each")
            seen = names_of(lbd)
            equal({n: s["address"] for n, s in seen.items()}, {
                "app#127.0.0.1": one.address, "app#127.0.0.2": two.address, "app#::1": six.address}, "servers")
            lbd.command("server", name="web/app#::1", action="drain")
            equal(lbd.metric("lbpair_dns_names", state="resolved"), 1, "names")
            check(lbd.metric("lbpair_dns_queries_total", result="ok") >= 2, "queries are counted")
            lbd.log.wait(r'name_resolved name=app.test old="" new="::1 127.0.0.1 127.0.0.2"')
            # drain is kept while the addresses change
            dns.set("app.test", Zone("::1", "127.0.0.1"))
            wait_names(lbd, "app#127.0.0.1", "app#::1")
            equal(names_of(lbd)["app#::1"]["admin"], "drain", "state of an address that stayed")


def test_changes_under_load_fail_no_request():
    hosts = [f"127.0.0.{i}" for i in range(1, 5)]
    servers = same_port(*hosts)
    pool = {"health_check": {"type": "tcp", "interval": "100ms"}}
    routes = [{"path_prefix": "/", "pool": "web", "rate_limit": {"requests_per_second": 100000}}]
    with NameServer(app_test=Zone(hosts[0], hosts[1])) as dns:
        conf = named(dns, servers[0].port, pool=pool)
        conf["listeners"][0]["routes"] = routes
        with Lbd({**conf, "workers": 2}) as lbd:
            with Load(lbd) as load:
                for pair in ((1, 2), (2, 3), (3, 0), (0, 1)):
                    dns.set("app.test", Zone(*(hosts[i] for i in pair)))
                    wait_names(lbd, *(f"app#{hosts[i]}" for i in pair))
                    before = [len(s.requests) for s in servers]
                    wait_for(lambda: all(len(servers[i].requests) > before[i] for i in pair),
                             "requests at the servers of the day", step=0.01)
                load.stop()
    for server in servers:
        server.close()


def test_failures_keep_the_last_good_answer():
    one, two = same_port("127.0.0.1", "127.0.0.2")
    with one, two, NameServer(app_test=Zone("127.0.0.1", "127.0.0.2")) as dns:
        with Lbd(named(dns, one.port)) as lbd:
            both = ("app#127.0.0.1", "app#127.0.0.2")
            for zone in (Zone(rcode=NXDOMAIN), Zone(rcode=SERVFAIL), Zone(silent=True), Zone(),
                         Zone("127.0.0.9", broken=True)):
                lines = lbd.log.count()
                dns.set("app.test", zone)
                lbd.log.wait("name_failed name=app.test", start=lines)
                equal(set(names_of(lbd)), set(both), "servers")
                equal(lbd.get().status, 200, "status")
                lbd.wait_metric("lbpair_dns_names", 1, state="stale")
                dns.set("app.test", Zone("127.0.0.1", "127.0.0.2"))
                lbd.wait_metric("lbpair_dns_names", 1, state="resolved")
            # one family fails, the other one moves: that is a change
            dns.set("app.test", Zone("127.0.0.2", fails=(AAAA,)))
            wait_names(lbd, "app#127.0.0.2")
            check(lbd.metric("lbpair_dns_queries_total", result="not_found") >= 1, "NXDOMAIN is counted")
            check(lbd.metric("lbpair_dns_queries_total", result="timeout") >= 1, "silence is counted")
            check(lbd.metric("lbpair_dns_queries_total", result="bad_answer") >= 1, "a broken answer is counted")


def test_answers_live_their_time():
    """The shortest one of an answer counts; what no clock can hold is no life at all (RFC 2181, section 8)."""
    one = Backend()
    zones = {"often": Zone("127.0.0.1", ttl=0), "endless": Zone("127.0.0.1", ttl=2 ** 31 - 1),
             "negative": Zone("127.0.0.1", ttl=2 ** 32 - 1),
             "alias": Zone("127.0.0.1", ttl=60, aliases=(("b.test", 60), ("c.b.test", 0), ("d.test", 60)))}
    with one, NameServer(app_test=Zone("127.0.0.1", ttl=60), **{f"{n}_test": z for n, z in zones.items()}) as dns:
        conf = named(dns, one.port, max_ttl="1m")
        conf["pools"][0]["servers"] += [{"name": n, "address": f"{n}.test:{one.port}"} for n in zones]
        with Lbd(conf) as lbd:
            equal(len(names_of(lbd)), 5, "servers")
            for name in ("often", "negative", "alias"):
                dns.wait_asked(6, f"{name}.test")
            for name in ("app", "endless"):
                equal(dns.count(f"{name}.test"), 2, f"questions for {name}, whose answer is good for a minute")


def test_other_name_servers_are_asked():
    """One that is silent, or refuses, or fails is not the last word; nor is one that is not there."""
    one = Backend()
    with one, NameServer(app_test=Zone("127.0.0.1")) as good, NameServer(app_test=Zone(silent=True)) as silent, \
            NameServer(app_test=Zone(rcode=SERVFAIL)) as failing, NameServer(app_test=Zone(rcode=REFUSED)) as refusing:
        gone = NameServer()
        gone.close()
        for bad in (silent, failing, refusing, gone):
            with Lbd(named(good, one.port, servers=[bad.address, good.address])) as lbd:
                equal(set(names_of(lbd)), {"app#127.0.0.1"}, "servers")
                check(not lbd.log.find("name_failed|names_late"), lbd.log.text())


def test_search_domains_and_hosts():
    one = Backend()
    with one, NameServer(app_test=Zone("127.0.0.1")) as dns:
        conf = named(dns, one.port, server={"address": f"app:{one.port}"}, hosts=True)
        conf["pools"][0]["servers"].append({"name": "here", "address": f"localhost:{one.port}"})
        with Lbd(conf, env={"LOCALDOMAIN": "test"}) as lbd:
            check({"app#127.0.0.1", "here#127.0.0.1"} <= set(names_of(lbd)), f"servers: {set(names_of(lbd))}")
            equal(dns.count("localhost") + dns.count("localhost.test"), 0, "questions for what /etc/hosts has")


def test_a_truncated_answer_comes_by_tcp():
    one = Backend()
    with one, NameServer(app_test=Zone("127.0.0.1", truncated=True)) as dns:
        with Lbd(named(dns, one.port, family="ipv4")) as lbd:
            equal(lbd.get().status, 200, "status")
            check(dns.count(transport="tcp") >= 1, "asked by TCP")
            check(all(t != AAAA for _, t, _ in dns.asked), "nobody asked for IPv6")


def test_a_start_without_dns():
    """lbd serves, says what is missing, and the server comes with the answer."""
    one = Backend()
    with one, NameServer(app_test=Zone(silent=True)) as dns:
        with Lbd(named(dns, one.port)) as lbd:
            equal(lbd.get().status, 503, "status without a server")
            equal(names_of(lbd)["app"]["health"], "unresolved", "health")
            equal(alarms(lbd), {"pool_down", "name_unresolved"}, "alarms")
            equal(lbd.metric("lbpair_dns_names", state="unresolved"), 1, "unresolved names")
            lbd.command("server", name="web/app", action="drain")
            equal(names_of(lbd)["app"]["admin"], "drain", "what was set without an address")
            dns.set("app.test", Zone("127.0.0.1"))
            wait_names(lbd, "app#127.0.0.1")
            equal(names_of(lbd)["app#127.0.0.1"]["admin"], "drain", "what was set before there was an address")
            lbd.command("server", name="web/app", action="ready")
            equal(lbd.get().status, 200, "status")


def test_what_is_known_outlives_the_proxy_process():
    one = Backend()
    with one, NameServer(app_test=Zone("127.0.0.1")) as dns:
        with Lbd(named(dns, one.port)) as lbd:
            equal(lbd.get().status, 200, "status")
            dns.set("app.test", Zone(silent=True))
            lbd.command("server", name="web/app#127.0.0.1", action="weight", value=7)
            lbd.kill_proxy()
            lbd.log.wait("proxy_replaced")
            equal(lbd.get().status, 200, "status while DNS is silent")
            equal(names_of(lbd)["app#127.0.0.1"]["weight"], 7, "weight")
            # and a reload
            lbd.reload(lbd.config)
            equal(lbd.get().status, 200, "status after a reload")


def test_a_name_is_administered_as_one():
    """What is set for it is so for each of its addresses, later ones included, over a reload and a crash."""
    gate = threading.Event()
    one = Backend(held_by(gate))
    two, three, four = (Backend(listen=f"127.0.0.{i}", port=one.port) for i in (2, 3, 4))

    def is_all(lbd, key, expected, *hosts):
        wait_names(lbd, "other", *(f"app#127.0.0.{i}" for i in hosts))
        equal({s[key] for n, s in names_of(lbd).items() if n != "other"}, {expected}, f"{key} of the members")

    with one, two, three, four, Backend() as other, NameServer(app_test=Zone("127.0.0.1", "127.0.0.2")) as dns:
        conf = named(dns, one.port)
        conf["pools"][0]["servers"].append({"name": "other", "address": other.address})
        with Lbd({**conf, "workers": 2}) as lbd, lbd.client() as client:
            for name in ("app#127.0.0.2", "other"):
                lbd.command("server", name=f"web/{name}", action="maintenance")
            client.send(request("GET", "/held"))
            one.wait_requests(1)
            lbd.command("server", name="web/other", action="ready")
            reply = lbd.command("server", name="web/app", action="drain")
            equal((reply["changed"], reply["server"]["members"], reply["server"]["active"], reply["server"]["drained"]),
                  (True, 2, 1, False), "reply")
            is_all(lbd, "admin", "drain", 1, 2)
            equal(lbd.log.find(r"server_drained pool=web server=app$"), None, "told too early")
            gate.set()
            equal(client.response().status, 200, "status of the request that was in flight")
            lbd.log.wait(r"server_drained pool=web server=app$")
            equal(hactl("server", "web/app", "drain", "--wait", lbd=lbd.socket_path)[:2],
                  (0, "web/app: was already so: drain, weight 1, 0 requests active\nweb/app: nothing is left\n"), "hactl")
            dns.set("app.test", Zone("127.0.0.1", "127.0.0.2", "127.0.0.3"))
            is_all(lbd, "admin", "drain", 1, 2, 3)
            equal(lbd.get().status, 200, "status")
            lbd.reload(lbd.config)
            is_all(lbd, "admin", "drain", 1, 2, 3)
            lbd.kill_proxy()
            is_all(lbd, "admin", "drain", 1, 2, 3)
            dns.set("app.test", Zone("127.0.0.3", "127.0.0.4"))
            is_all(lbd, "admin", "drain", 3, 4)
            lbd.get()
            equal(sum(len(b.requests) for b in (one, two, three, four)), 1, "requests at the name")
            lbd.command("server", name="web/app", action="weight", value=7)
            lbd.command("server", name="web/app", action="ready")
            dns.set("app.test", Zone("127.0.0.1", "127.0.0.3"))
            is_all(lbd, "admin", "ready", 1, 3)
            is_all(lbd, "weight", 7, 1, 3)


def test_what_is_known_outlives_lbd():
    """Stopped and started while nobody answers: the last good answers hold, until there is a better one."""
    one, two = same_port("127.0.0.1", "127.0.0.2")
    with one, two, NameServer(app_test=Zone("127.0.0.1")) as dns:
        with Lbd(named(dns, one.port)) as lbd:
            def again(file=None):
                lbd.stop()
                if file:
                    with open(lbd.path("names"), "w", encoding="utf-8") as f:
                        f.write(file)
                lbd.start()

            dns.set("app.test", Zone(silent=True))
            again()
            lbd.log.wait("names_recalled .*names=1")
            lbd.log.wait("name_failed name=app.test reason=timeout kept=1")
            equal(lbd.get().status, 200, "status while DNS is silent")
            equal(set(names_of(lbd)), {"app#127.0.0.1"}, "servers")
            equal(lbd.metric("lbpair_dns_names", state="stale"), 1, "stale names")
            wait_for(lambda: alarms(lbd) == {"name_stale"}, "alarm")
            _, out, _ = hactl("status", lbd=lbd.socket_path)
            check("! pool web: app.test has its last good addresses: DNS: timeout (name_stale)" in out, out)
            dns.set("app.test", Zone("127.0.0.2"))
            wait_names(lbd, "app#127.0.0.2")
            equal(alarms(lbd), set(), "alarms")
            # a start that is answered at once has never used what was kept
            again()
            equal(lbd.get().status, 200, "status")
            equal(set(names_of(lbd)), {"app#127.0.0.2"}, "servers")
            check(not lbd.log.find("name_failed"), lbd.log.text())
            # and a file that is none of ours, or cannot be written, is a line in the log
            dns.set("app.test", Zone(silent=True))
            again(file="lbd-names 1\napp.test 16 127.0.0.2 nonsense\n\0\n")
            lbd.log.wait("names_damaged .*lines=2")
            equal(lbd.get().status, 200, "status")
            again(file="nonsense\n")
            lbd.log.wait("names_not_read ")
            equal(lbd.get().status, 503, "status of a name that nothing is known of")
            lbd.config["resolver"]["state_file"] = "/nonexistent/names"
            lbd.write_config()
            dns.set("app.test", Zone("127.0.0.1"))
            again()
            lbd.log.wait("names_not_saved .*No such file")
            equal(lbd.get().status, 200, "status")


def test_a_reload_waits_for_new_names():
    """The pool is not empty until DNS answers: no request notices that its server has a name now."""
    one = Backend()
    with one, NameServer(app_test=Zone("127.0.0.1", delay=0.3)) as dns, Lbd(config(one)) as lbd:
        with Load(lbd) as load:
            lbd.reload(named(dns, one.port, timeout="2s"))
            load.wait_done(10)
            load.stop()
        equal(set(names_of(lbd)), {"app#127.0.0.1"}, "servers")


def test_a_reload_while_names_change():
    """The pool has another address ten times a second, also while a new name is waited for."""
    hosts = [f"127.0.0.{i}" for i in range(1, 5)]
    servers = same_port(*hosts)
    with NameServer(app_test=Zone(*hosts, rotating=True), slow_test=Zone("127.0.0.1", delay=0.6)) as dns:
        conf = named(dns, servers[0].port, timeout="2s")
        with Lbd(conf) as lbd, Load(lbd) as load:
            load.wait_done(10)
            lbd.log.wait("name_resolved name=app.test", start=lbd.log.count())  # its rollout is due soon
            conf["pools"].append({"name": "slow", "servers": [{"address": f"slow.test:{servers[0].port}"}]})
            lbd.reload(conf)
            check(f"slow.test:{servers[0].port}#127.0.0.1" in names_of(lbd), "the new name has its address")
            load.wait_done(10)
            load.stop()
    for server in servers:
        server.close()


def test_a_new_address_is_checked_first():
    """Among others that serve; it gets its first request when it has passed."""
    checked = threading.Event()

    def script(connection):
        while message := connection.request():
            if message.target == b"/health":
                checked.wait(30)
            connection.reply(message)

    one = Backend()
    two = Backend(script, listen="127.0.0.2", port=one.port)
    three = "127.0.0.3"  # nobody listens there
    pool = {"health_check": {"interval": "20s", "timeout": "20s"}}
    with one, two, NameServer(app_test=Zone("127.0.0.1")) as dns, Lbd(named(dns, one.port, pool=pool)) as lbd:
        wait_for(lambda: names_of(lbd)["app#127.0.0.1"]["health"] == "up", "the first check")
        dns.set("app.test", Zone("127.0.0.1", "127.0.0.2", three))
        wait_names(lbd, "app#127.0.0.1", "app#127.0.0.2", f"app#{three}")
        equal(names_of(lbd)["app#127.0.0.2"]["health"], "new", "health before the first check")
        for _ in range(4):
            equal(lbd.get("/").status, 200, "status")
        equal([r.target for r in two.requests if r.target != b"/health"], [], "requests of the new one")
        checked.set()
        wait_for(lambda: names_of(lbd)["app#127.0.0.2"]["health"] == "up", "the new one's check")
        for _ in range(4):
            equal(lbd.get("/").status, 200, "status")
        check(any(r.target == b"/" for r in two.requests), "the new one serves")


def test_tls_and_cookies_outlive_a_change():
    """On both sides; the keys of certificates and of cookies are not read again."""
    one = TlsBackend(numbered(1))
    two, three = (TlsBackend(numbered(i), listen=f"127.0.0.{i}", port=one.port) for i in (2, 3))
    pool = {"stickiness": {"name": "SRV", "secret_file": secret()}, "health_check": {"type": "tcp", "interval": "100ms"},
            "tls": {"ca": usual().file}}
    server = {"address": f"www.example.org:{one.port}"}  # the name that certificates are for
    with one, two, three, NameServer(www_example_org=Zone("127.0.0.1", "127.0.0.2")) as dns:
        with Lbd(named(dns, one.port, make=tls_config, pool=pool, server=server)) as lbd, tls_client(lbd) as client:
            cookies = dict(placed(client) for _ in range(2))
            equal(set(cookies), {b"s1", b"s2"}, "servers with cookies")
            equal(set(one.names), {"www.example.org"}, "names that the server was asked for")
            dns.set("www.example.org", Zone("127.0.0.2", "127.0.0.3"))
            wait_names(lbd, "app#127.0.0.2", "app#127.0.0.3")
            for _ in range(3):
                equal(placed(client, cookies[b"s2"]), (b"s2", cookies[b"s2"]), "with the cookie of who stayed")
            wait_for(lambda: names_of(lbd)["app#127.0.0.3"]["health"] == "up", "the new one's check by TLS")
            server, cookie = placed(client, cookies[b"s1"])
            check(server in (b"s2", b"s3") and cookie != cookies[b"s1"], "another server for who was with the other")
            with tls_client(lbd) as other:
                equal(placed(other, cookie), (server, cookie), "on a new connection")


def test_a_session_in_tcp_mode_stays():
    """With an address that is gone; new ones go where the name leads now."""
    one = Backend(shout)
    two = Backend(shout, listen="127.0.0.2", port=one.port)
    with one, two, NameServer(app_test=Zone("127.0.0.1")) as dns:
        with Lbd(named(dns, one.port, make=tcp)) as lbd, lbd.client() as client:
            client.send(b"before")
            equal(client.read_exactly(6), b"BEFORE", "echo")
            dns.set("app.test", Zone("127.0.0.2"))
            wait_names(lbd, "app#127.0.0.2")
            client.send(b"after")
            equal(client.read_exactly(5), b"AFTER", "echo of the old session")

            def goes_to_new():
                with lbd.client() as other:
                    other.send(b"new")
                    equal(other.read_exactly(3), b"NEW", "echo of a new session")
                return len(two.connections) > 0

            wait_for(goes_to_new, "a session with the new address")  # the worker hears of it a moment later
            before = len(one.connections)
            goes_to_new()
            equal(len(one.connections), before, "connections of the old address")


def test_no_more_than_resolve_max():
    one = Backend()
    with one, NameServer(app_test=Zone("127.0.0.5", "127.0.0.4", "127.0.0.1")) as dns:
        with Lbd(named(dns, one.port, server={"resolve_max": 2})) as lbd:
            lbd.log.wait("name_cut name=app.test used=2 unused=1")
            equal(len(names_of(lbd)), 2, "servers")
            kept = set(names_of(lbd))
            dns.set("app.test", Zone("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"))
            dns.wait_asked(4)
            equal(set(names_of(lbd)), kept, "those in use are kept")


def test_connections_to_an_address_that_is_gone_end_in_order():
    """A request that runs is finished; an idle connection is closed."""
    one, two = same_port("127.0.0.1", "127.0.0.2")
    with one, two, NameServer(app_test=Zone("127.0.0.1")) as dns:
        with Lbd(named(dns, one.port)) as lbd:
            with lbd.client() as client:
                equal(client.get("/idle").status, 200, "status")
                dns.set("app.test", Zone("127.0.0.2"))
                wait_names(lbd, "app#127.0.0.2")
                one.wait(lambda: one.connections[0].closed, "the idle connection to end")
                equal(client.get("/next").status, 200, "status on the same connection")
                equal(two.requests[0].target, b"/next", "request of the new address")
