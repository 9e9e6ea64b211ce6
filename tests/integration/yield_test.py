"""Connections end, one after the other, because the other node has taken over; no request is lost by that."""

import time

from harness import (Backend, Control, Lbd, check, config, equal, request, wait_for)

LONG = 60000  # ms: does not end by itself within a test


def begin(lbd, idle_ms=LONG, for_ms=LONG):
    equal(lbd.command("yield", on=True, idle_ms=idle_ms, for_ms=for_ms)["ok"], True, "answer")
    equal(lbd.command("status")["yielding"], True, "yielding")


def test_the_next_answer_is_the_last():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client, lbd.client() as idle:
        equal(client.get().one(b"connection"), None, "Connection before")
        idle.get()
        begin(lbd)
        for c in (client, idle):
            c.send(request("GET", "/after"))
            got = c.response()
            equal((got.status, got.one(b"connection")), (200, b"close"), "after")
            c.expect_end()


def test_a_request_that_is_on_its_way_is_no_last_one():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.get()
        begin(lbd)
        client.send(request("GET", "/one") + request("GET", "/two") + request("GET", "/three"))
        got = [client.response() for _ in range(3)]
        equal([g.body for g in got], [b"GET /one 0\n", b"GET /two 0\n", b"GET /three 0\n"], "answers")
        equal([g.one(b"connection") for g in got], [None, None, b"close"], "Connection")
        client.expect_end()


def test_answers_of_its_own_are_the_last_as_well():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.get()
        lbd.command("server", name=f"web/{server.address}", action="maintenance")
        begin(lbd)
        client.send(request("GET", "/"))
        got = client.response()
        equal((got.status, got.one(b"connection")), (503, b"close"), "answer")
        client.expect_end()


def test_new_connections_are_served():
    with Backend() as server, Lbd(config(server)) as lbd:
        begin(lbd)
        for _ in range(3):
            with lbd.client() as client:
                equal(client.get().one(b"connection"), b"close", "Connection")
        check(lbd.alive(), "it ended")
        equal(lbd.command("status")["ready"], True, "ready")


def test_idle_connections_end_after_a_while_and_not_before():
    with Backend() as server, Lbd(config(server, workers=2)) as lbd:
        clients = [lbd.client() for _ in range(6)]
        for client in clients[:4]:
            client.get()
        began = time.monotonic()
        begin(lbd, idle_ms=700)
        check(lbd.command("status")["connections"] == 6 or time.monotonic() - began > 0.7, "closed at once")
        for client in clients:
            client.expect_end()
        check(time.monotonic() - began >= 0.69, f"closed after {time.monotonic() - began:.2f} s")
        for client in clients:
            client.__exit__(None, None, None)
        wait_for(lambda: lbd.command("status")["connections"] == 0, "the end of them")


def test_it_ends_by_itself_and_when_told():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.get()
        begin(lbd, for_ms=200)
        wait_for(lambda: not lbd.command("status")["yielding"], "its end")
        equal(client.get().one(b"connection"), None, "Connection after it ended")
        begin(lbd)
        equal(lbd.command("yield", on=False)["ok"], True, "answer")
        equal(lbd.command("status")["yielding"], False, "yielding")
        equal(client.get().one(b"connection"), None, "Connection after it was ended")


def test_said_again_it_lasts_longer():
    with Backend() as server, Lbd(config(server)) as lbd:
        begin(lbd, for_ms=1500)
        begin(lbd, for_ms=LONG)
        time.sleep(1.7)
        equal(lbd.command("status")["yielding"], True, "yielding")


def test_watchers_are_told():
    with Backend() as server, Lbd(config(server)) as lbd, Control(lbd.config["admin"]["socket"]) as watcher:
        equal(watcher.ask("watch")["yielding"], False, "yielding")
        begin(lbd)
        wait_for(lambda: watcher.read_object()["yielding"], "the news")


def test_wrong_requests():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.control() as control:
        for arguments, error in (({}, '"on" must be true or false'), ({"on": 1}, '"on" must be true or false'),
                                 ({"on": True}, '"idle_ms" must be an integer in 1..3600000'),
                                 ({"on": True, "idle_ms": 5}, '"for_ms" must be an integer in 1..3600000'),
                                 ({"on": True, "idle_ms": 0, "for_ms": 5},
                                  '"idle_ms" must be an integer in 1..3600000')):
            answer = control.ask("yield", **arguments)
            equal((answer["ok"], answer.get("error")), (False, error), str(arguments))
        equal(lbd.command("status")["yielding"], False, "yielding")
