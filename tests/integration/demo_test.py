"""`make demo`, as somebody without and with a terminal sees it."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios

from harness import ROOT, Log, Skip, check, equal, lbd_binary, wait_for

COLUMNS = 100
SECONDS = 150
STEPS = ("All is well", "A web server dies under load", "All of lbd dies on", "dies altogether", "comes back",
         "The service is moved by hand")
TERMINAL_CODES = re.compile(r"\033\[\d+m")


def heed_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job, which we may be, ignores them


def as_from_a_terminal():
    heed_interrupts()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Demo:
    """It runs with a temporary directory of its own, so that what it leaves behind is seen."""

    def __init__(self, terminal=False):
        self.directory = tempfile.TemporaryDirectory(prefix="demo-test-")
        command = [sys.executable, os.path.join(ROOT, "tests/demo/demo.py"), "--quick",
                   "--build", os.path.dirname(os.path.dirname(lbd_binary()))]
        env = {**os.environ, "TMPDIR": self.directory.name}
        if terminal:
            master, end = pty.openpty()
            fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
            self.process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=env, start_new_session=True,
                                            preexec_fn=as_from_a_terminal)
            os.close(end)
            self.keyboard, screen = master, self.screen(master)
        else:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, env=env, start_new_session=True,
                                            preexec_fn=heed_interrupts)
            screen = self.process.stdout
        self.log = Log(screen)

    @staticmethod
    def screen(master):
        with open(master, "rb", buffering=0, closefd=False) as f:
            try:
                yield from f
            except OSError:  # nobody has the terminal open any more
                pass

    def wait(self, pattern, start=0):
        def look():
            return self.log.find(pattern, start) or self.process.poll() is not None
        wait_for(look, f"{pattern!r} on the screen", SECONDS)
        return self.log.find(pattern, start) or self.no_more(pattern)

    def no_more(self, pattern):
        self.log.thread.join(10)
        text = self.log.text()
        if "it needs root, or user namespaces" in text:
            raise Skip("no network namespaces here")
        check(self.log.find(pattern), f"the demo has ended without {pattern!r}:\n{text}")
        return self.log.find(pattern)

    def lines(self):
        self.log.thread.join(10)
        text = TERMINAL_CODES.sub("", self.log.text()).replace(self.directory.name, "/tmp")
        return [line.rstrip("\r") for line in text.split("\n")]

    def end(self, status):
        """It ends so, and leaves neither a file nor a process."""
        equal(self.process.wait(SECONDS), status, "exit status; the screen:\n" + self.log.text() + "\nexit status")
        equal(os.listdir(self.directory.name), [], "left behind")
        equal(self.processes(), [], "processes left behind")
        self.directory.cleanup()

    def processes(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if f"TMPDIR={self.directory.name}\0".encode() in f.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def on(self, folder, *words):
        return subprocess.run([os.path.join(folder, "on"), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, timeout=30)


def test_without_a_terminal_it_tells_its_story_and_ends():
    demo = Demo()
    demo.wait(r"^What the client saw")
    demo.end(0)
    lines = demo.lines()
    equal([line for line in lines if len(line) > COLUMNS], [], f"lines longer than {COLUMNS} columns")
    check("\033" not in demo.log.text(), "colours without a terminal")
    sums = lines[lines.index(next(line for line in lines if line.startswith("What the client saw"))) + 1:]
    rows = [re.fullmatch(r"  (\d)\. (.*?) +(\d+) ms +(\d+)  (lb[12])(?: -> (lb[12]))?", line) for line in sums if line]
    check(len(rows) == len(STEPS) and all(rows), f"sums: {sums}")
    for row, title in zip(rows, STEPS):
        check(title in row[2], f"{row[0]!r} is not about {title!r}")
    equal([int(rows[n][4]) for n in (0, 1)], [0, 0], "failed requests while nothing but a server dies")
    equal([bool(row[6]) for row in rows], [False, False, True, True, False, True], "steps in which the address moves")
    for event in (r"server_down server=web2", r"server_up server=web2", r"cause=lbd_down", r"cause=peer_silent",
                  r"cause=operator", r"^lb[12]# hactl status"):
        check(demo.log.find(event), f"no {event!r} on the screen")


def test_with_a_terminal_it_stays_to_be_played_with():
    demo = Demo(terminal=True)
    folder = re.search(r"/\S+", demo.wait(r"^  cd /"))[0]
    demo.wait(r"Ctrl-C ends it")
    for command in [re.match(r"  (\./on lb[12] hactl (?:failover|server \S+ \S+)) ", TERMINAL_CODES.sub("", line))
                    for line in demo.log.text().split("\n")]:
        if command:
            start = len(demo.log.lines)
            done = demo.on(folder, *command[1].split()[1:])
            equal(done.returncode, 0, f"{command[1]}: {done.stdout}exit status")
            if "failover" in command[1]:
                demo.wait(r"role_changed from=active to=backup cause=operator", start)
                demo.wait(r"longest gap \d+ ms", start)
    start = len(demo.log.lines)
    with open(os.path.join(folder, "web1.pid")) as f:
        os.kill(int(f.read()), signal.SIGKILL)
    demo.wait(r"web1 is started again", start)
    demo.wait(r"server_up server=web1", start)
    for host in ("client", "lb1", "lb2", "web3"):
        done = demo.on(folder, host, "ip", "-o", "addr", "show", "dev", "eth0")
        check(re.search(r"192\.0\.2\.", done.stdout), f"addresses of {host}: {done.stdout}")
    equal(demo.on(folder, "nobody").returncode, 2, "exit status for a host that is not there")
    os.write(demo.keyboard, b"\x03")
    demo.end(0)
    equal([line for line in demo.lines() if len(line) > COLUMNS], [], f"lines longer than {COLUMNS} columns")


def table_ended_in_the_middle(report):
    for name, number, status in (("interrupted", signal.SIGINT, 130), ("terminated", signal.SIGTERM, 143)):
        demo = Demo()
        demo.wait(r"^2\. A web server dies")
        demo.process.send_signal(number)
        demo.end(status)
        report(name)


for test in (test_without_a_terminal_it_tells_its_story_and_ends, test_with_a_terminal_it_stays_to_be_played_with):
    test.seconds = SECONDS
