"""network.py - where the hosts of the demo live: a network namespace each, or the loopback interface.

    network = open_network("lbpair")            # re-executes the program once to become root of a user namespace
    web1 = network.add("web1", 11)              # a host with an address that ends in 11
    network.start(web1, ["sleep", "9"])         # a process there; ended by network.close()

As root the namespaces have names, so that `ip netns exec lbpair-web1 ...` works from any terminal.  Without
root the same is built inside a user namespace, where the kernel allows that.  Where neither is possible, or
with DEMO_LOOPBACK=1, all hosts share the loopback interface.
"""

import ctypes
import os
import signal
import subprocess
import sys

INSIDE = "LBPAIR_DEMO_INSIDE"  # set in the copy of the program that runs in a user namespace
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Host:
    def __init__(self, name, address):
        self.name, self.address = name, address


class Network:
    """Common to all: processes and their end."""

    subnet = "198.18.77"  # RFC 2544: for tests, never in the Internet

    def __init__(self):
        self.processes = []

    def add(self, name, number):
        return Host(name, f"{self.subnet}.{number}")

    def command(self, host, argv):
        """What to execute so that argv runs on that host."""
        del host
        return argv

    def start(self, host, argv, **options):
        """A process that dies with us, whatever ends us, and does not see the terminal's Ctrl-C."""
        process = subprocess.Popen(self.command(host, argv), stdin=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), **options)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Loopback(Network):
    subnet = "127.77.0"

    def __init__(self, why):
        super().__init__()
        self.why = why

    def describe(self):
        return f"all on the loopback interface ({self.why})"

    def enter(self, host):
        """What a human types before a command to run it on that host."""
        del host
        return ""


class Namespaces(Network):
    """One bridge in a namespace of its own; each host is joined to it by a pair of virtual interfaces."""

    def __init__(self, prefix):
        super().__init__()
        self.prefix = prefix
        self.clean()
        try:
            self.ip("netns", "add", self.full("wire"))
            self.ip("link", "add", "bridge", "type", "bridge", inside="wire")
            self.ip("link", "set", "dev", "bridge", "up", inside="wire")
        except BaseException:
            self.clean()
            raise

    def describe(self):
        return "each in a network namespace of its own"

    def full(self, name):
        return f"{self.prefix}-{name}"

    def ip(self, *words, inside=None):
        where = ["-n", self.full(inside)] if inside else []
        subprocess.run(["ip", *where, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def ours(self):
        listing = subprocess.run(["ip", "netns", "list"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return [line.split()[0] for line in listing.splitlines() if line.startswith(self.prefix + "-")]

    def clean(self):
        """Also what a demo left behind that was killed; its processes died with it."""
        for name in self.ours():
            subprocess.run(["ip", "netns", "delete", name], check=False)

    def add(self, name, number):
        host = super().add(name, number)
        self.ip("netns", "add", self.full(name))
        self.ip("link", "add", "eth0", "netns", self.full(name), "type", "veth",
                "peer", "name", name, "netns", self.full("wire"))
        self.ip("link", "set", "dev", name, "master", "bridge", "up", inside="wire")
        self.ip("address", "add", f"{host.address}/24", "dev", "eth0", inside=name)
        self.ip("link", "set", "dev", "lo", "up", inside=name)
        self.ip("link", "set", "dev", "eth0", "up", inside=name)
        return host

    def command(self, host, argv):
        return ["ip", "netns", "exec", self.full(host.name), *argv]

    def enter(self, host):
        if not os.environ.get(INSIDE):
            sudo = "sudo " if os.environ.get("SUDO_USER") else ""
            return f"{sudo}ip netns exec {self.full(host.name)} "
        return f"nsenter -t {os.getpid()} -U -m -n --preserve-credentials ip netns exec {self.full(host.name)} "

    def close(self):
        super().close()
        self.clean()


def works(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def open_network(prefix):
    if os.environ.get("DEMO_LOOPBACK"):
        return Loopback("as DEMO_LOOPBACK asks")
    if os.environ.get(INSIDE) or os.geteuid() == 0:
        try:
            return Namespaces(prefix)
        except subprocess.CalledProcessError as error:
            return Loopback(f"no network namespaces: {error.stderr.decode().strip()}")
        except OSError as error:
            return Loopback(f"no network namespaces: {error}")
    # ip keeps the names of namespaces in /run/netns, which must be ours
    inside = "mount -t tmpfs tmpfs /run && exec \"$@\""
    unshare = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", inside, "sh"]
    if works([*unshare, "ip", "netns", "add", "probe"]):
        os.environ[INSIDE] = "1"
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
    return Loopback("network namespaces need root, or user namespaces that this kernel does not allow")
