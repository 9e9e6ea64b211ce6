"""lbd's own log: where it goes and how much of it."""

import json
import os
import re
import signal

from harness import Backend, Lbd, check, config, equal, wait_for


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def test_log_to_a_file_and_reopen():
    with Backend() as server, Lbd(config(server), start=False) as lbd:
        path = lbd.path("lbd.log")
        lbd.config["log"] = {"target": "file:" + path}
        lbd.write_config()
        lbd.start()
        wait_for(lambda: "serving" in text_of(path), "serving in the file")
        os.rename(path, path + ".1")
        lbd.signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(path) and "logs_reopened" in text_of(path), "the new file")
        lbd.reload()
        wait_for(lambda: "reload_done" in text_of(path), "reload_done in the new file")
        check("reload_done" not in text_of(path + ".1"), "lines still go to the old file")
        equal(lbd.log.find("serving"), None, "serving on standard error")


def test_every_line_has_time_level_and_event():
    with Backend() as server, Lbd(config(server)) as lbd:
        lbd.reload()
        for line in lbd.log.text().splitlines():
            check(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z (error|warning|notice|info|debug|crit) [a-z0-9_]+( .*)?",
                               line), f"line {line!r}")


def test_level_error_hides_the_rest():
    with Backend() as server, Lbd(config(server, log={"level": "error"})) as lbd:
        lbd.reload()
        lbd.get()
        equal(lbd.log.text(), "", "log at level error")


def test_under_the_journal_lines_carry_their_priority():
    """$JOURNAL_STREAM names standard error: systemd adds the time and reads the level from <N>."""
    with Backend() as server:
        conf = config(server)
        with Lbd(conf, start=False) as lbd:
            read, write = os.pipe()
            info = os.fstat(write)
            os.close(read), os.close(write)
            lbd.env["JOURNAL_STREAM"] = f"{info.st_dev}:{info.st_ino}"  # another pipe: not ours
            lbd.start()
            check(not lbd.log.find(r"^<\d>"), "priorities although standard error is not the journal")


def test_access_log_on_standard_error():
    log = {"access": {"target": "stderr", "format": "json"}}
    with Backend() as server, Lbd(config(server, log=log)) as lbd:
        lbd.get("/logged")
        line = lbd.log.wait('"target":"/logged"')
        equal(json.loads(line)["status"], 200, "status in the record")
