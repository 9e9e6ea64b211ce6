"""hactl setup writes a pair's files in whole or not at all, and replaces nothing."""

import json
import os
import pty
import shutil
import socket
import stat
import subprocess
import tempfile

from network import Host, check
from station import station_binary

NAMES = ("secret", "lbd.json", "hafailover.json")
ADDRESSES = ("--peer", "192.0.2.12", "--vip", "192.0.2.100")
WISH = (*ADDRESSES, "--server", "10.0.0.11:8080,10.0.0.12:8080")
SOMEBODY = 65534


def binary(name):
    return os.path.join(os.path.dirname(os.path.dirname(station_binary())), "bin", name)


class Machine:
    """A host with an address in 192.0.2.0/24, and a place for its files."""

    def __init__(self, number):
        self.host = Host("machine")
        self.host.ip("link", "add", "eth0", "type", "veth", "peer", "name", "wire")
        self.host.ip("addr", "add", f"192.0.2.{number}/24", "dev", "eth0")
        self.directory = tempfile.mkdtemp(prefix="setup-")
        try:
            os.chown(self.directory, -1, SOMEBODY)
        except OSError:
            pass  # a user namespace with one group
        self.group = os.stat(self.directory).st_gid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory)

    def setup(self, *words, directory=None, **options):
        command = [binary("hactl"), "setup", "--directory", directory or self.directory, *words]
        return subprocess.run(command, preexec_fn=self.host.enter, text=True, timeout=30, capture_output=True,
                              **{"stdin": subprocess.DEVNULL, **options})

    def done(self, *words, **options):
        """What it prints."""
        result = self.setup(*words, **options)
        check(result.returncode == 0 and not result.stderr, f"{words}: {result}")
        return result.stdout

    def refused(self, why, *words, status=1, **options):
        """With that reason, and nothing has changed."""
        before = self.files()
        result = self.setup(*words, **options)
        check(result.returncode == status and why in result.stderr, f"{words}: {result}")
        check(self.files() == before, f"{words} left {os.listdir(self.directory)}")

    def path(self, name):
        return os.path.join(self.directory, name)

    def files(self):
        found = {}
        for name in os.listdir(self.directory):
            with open(self.path(name), "rb") as f:
                found[name] = f.read()
        return found

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def check_files(self):
        """Owner and mode; both daemons take them."""
        check(sorted(self.files()) == sorted(NAMES), f"{os.listdir(self.directory)}")
        for name in NAMES:
            is_ = os.stat(self.path(name))
            seen = stat.S_IMODE(is_.st_mode), is_.st_uid, is_.st_gid
            check(seen == (0o640, os.getuid(), self.group), f"{name}: {seen}")
        for daemon in ("lbd", "hafailover"):
            self.host.run(binary(daemon), "-c", self.path(f"{daemon}.json"), "-t")


def test_the_files_of_a_pair_reach_both_nodes():
    with Machine(11) as one, Machine(12) as two, Machine(13) as stranger:
        os.mkdir(one.path("again"))
        one.done(*WISH, directory=one.path("again"))
        with open(one.path("again/secret"), encoding="ascii") as f:
            other_secret = f.read()
        shutil.rmtree(one.path("again"))
        said = one.done(*WISH)
        check("| ssh root@192.0.2.12 hactl setup --join" in said, said)
        one.check_files()
        secret = one.files()["secret"].decode()
        check(len(secret) == 65 and len(set(secret)) > 8 and secret != other_secret, secret)
        check(secret.strip() not in said, "the secret is shown")

        one.write("lbd.json", "\n" + one.files()["lbd.json"].decode())  # to the byte, then
        bundle = one.done("--export").replace(one.directory, two.directory)
        ours, theirs = socket.socketpair()  # as sshd has it
        with ours, theirs:
            ours.sendall(bundle.encode())
            ours.shutdown(socket.SHUT_WR)
            two.done("--join", stdin=theirs)
        two.check_files()
        for name in ("secret", "lbd.json"):
            check(two.files()[name] == one.files()[name], f"{name} differs")

        bundle = bundle.replace(two.directory, stranger.directory)
        stranger.refused("nothing was written", "--join", stdin=None, input=bundle)
        stranger.refused("not what hactl setup --export prints", "--join", stdin=None, input=bundle[:-9])
        two.refused("is there already", "--join", stdin=None, input=bundle)


def test_the_network_of_an_ipv6_address_is_found():
    with Machine(11) as one:
        one.host.ip("link", "set", "wire", "up")
        one.host.ip("link", "set", "eth0", "up")  # its link-local address is no way to a node
        one.host.ip("addr", "add", "2001:db8:0:1::11/64", "dev", "eth0", "nodad")
        servers = ("--server", "[2001:db8::21]:80")
        one.refused("no interface is in a network with 2001:db8:0:2::12", "--peer", "2001:db8:0:2::12",
                    "--vip", "2001:db8:0:1::64", *servers)
        one.refused("no interface of this machine is in a network with fe80::64", "--peer", "2001:db8:0:1::12",
                    "--vip", "fe80::64", *servers)
        one.done("--peer", "2001:db8:0:1::12", "--vip", "2001:db8:0:1::64,192.0.2.100", *servers)
        one.check_files()
        written = json.loads(one.files()["hafailover.json"])
        check(written["nodes"][0]["address"] == "2001:db8:0:1::11", f"{written}")


def test_nothing_is_replaced():
    with Machine(11) as one:
        for name in ("secret", "hafailover.json", "lbd.json"):
            one.write(name, "mine")
            one.refused(f"{one.path(name)} is there already", *WISH)
            os.unlink(one.path(name))
        os.symlink("/nonexistent", one.path("secret"))
        before = os.listdir(one.directory)
        check(one.setup(*WISH).returncode == 1 and os.listdir(one.directory) == before, "a link was replaced")
        os.unlink(one.path("secret"))
        mine = json.dumps({"pools": [{"name": "p", "servers": [{"address": "10.0.0.11:80"}]}],
                           "listeners": [{"bind": ["0.0.0.0:80"], "pool": "p"}]})
        one.write("lbd.json", mine)
        check("lbd.json is kept" in one.done(*ADDRESSES), "lbd.json is not mentioned")
        check(one.files()["lbd.json"] == mine.encode(), "lbd.json was replaced")


def test_what_is_wrong_leaves_nothing():
    with Machine(11) as one:
        one.refused("--peer is needed", status=2)
        one.refused("no interface is in a network with 10.0.0.1", "--peer", "10.0.0.1", *WISH[2:])
        one.refused("hafailover.json:", *WISH, "--name", "two words")
        one.refused("lbd.json:", *WISH[:4], "--server", "10.0.0.11:80,a b:80")
        one.refused("take what is in the files", "--join", "--peer", "192.0.2.12", status=2)
        one.refused("cannot write to /nonexistent", *WISH, directory="/nonexistent")


def on_terminal(machine, lines, *words):
    """Status, and what is seen there."""
    master, slave = pty.openpty()
    with open(master, "r+b", buffering=0) as terminal:
        os.write(master, lines)
        process = subprocess.Popen([binary("hactl"), "setup", "--directory", machine.directory, *words],
                                   preexec_fn=machine.host.enter, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        seen = b""
        try:
            while piece := terminal.read(4096):
                seen += piece
        except OSError:  # its other side is closed
            pass
    return process.wait(30), seen.decode()


def test_a_terminal_is_asked_until_it_is_right():
    with Machine(11) as one:
        status, seen = on_terminal(one, b"192.0.2.12\n192.0.2.11\n\x04")
        check(status == 1 and not one.files() and "nothing was written" in seen, seen)
        status, seen = on_terminal(one, b"lb2\n192.0.2.12\n192.0.2.11\n192.0.2.100\nweb1\n10.0.0.11:80\n")
        check(status == 0 and "this machine: 192.0.2.11 on eth0" in seen, seen)
        check('not "lb2"' in seen and "must be free" in seen and 'HOST:PORT, not "web1"' in seen, seen)
        one.check_files()
        status, seen = on_terminal(one, b"", "--export")
        check(status == 1 and one.files()["secret"].decode().strip() not in seen, "the secret is on the terminal")
        status, seen = on_terminal(one, b"", "--join")
        check(status == 2, seen)
