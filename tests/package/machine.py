"""machine.py - a Debian with a booted systemd, in a container on a host of tests/integration_ha/network.py.

    machine = Machine("lb1", wire.host("lb1", 11), folder, packages)
    machine.boot()
    machine.wait_booted()
    machine.run("systemctl", "is-system-running")

systemd-nspawn(1) runs it.  Where that has no systemd above it, the machine gets control groups of its own from us.
All of it ends with this process, however that ends; the groups, which would stay, are removed by close().
"""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import debian
from network import LIBC, PR_SET_PDEATHSIG, Failure, check, wait_for

# Beyond nspawn's own: what the units ask for.
CAPABILITIES = "CAP_NET_ADMIN,CAP_NET_RAW,CAP_IPC_LOCK,CAP_BPF"
BOOT_SECONDS, REBOOT = 180, 133
OF_DEBIAN = ("/(proc|sys|dev|run|tmp|packages|var/(cache|tmp|lib/(apt|dpkg|rpm)|log/(apt|journal))|"
             "var/lib/logrotate/status|var/lib/systemd/(timers|catalog|random-seed)|var/log/(dpkg|alternatives)[.]log)")
GROUP = "lbpair-package-test"
HAS_SYSTEMD = os.path.isdir("/run/systemd/system")


def hierarchies():
    """Where systemd would keep its control groups: the unified hierarchy, and beside old ones its own."""
    with open("/proc/self/mountinfo") as f:
        for line in f:
            words, _, kind = line.partition(" - ")
            if kind.startswith("cgroup2 ") or kind.startswith("cgroup ") and "name=systemd" in kind:
                yield words.split()[4]


def remove_groups(folder):
    """Of the innermost first; their processes have been killed and may still be ending."""
    for path, _, _ in os.walk(folder, topdown=False):
        def gone(path=path):
            try:
                os.rmdir(path)
            except FileNotFoundError:
                pass
            except OSError:
                return False
            return True
        wait_for(gone, 10, f"end of {path}")


class Machine:
    def __init__(self, name, host, folder, packages):
        self.name, self.host, self.folder, self.packages = name, host, os.path.join(folder, name), packages
        os.makedirs(self.folder)
        self.root = debian.layer(self.folder, debian.tree())
        self.groups = [] if HAS_SYSTEMD else [os.path.join(h, f"{GROUP}-{os.getpid()}-{name}") for h in hierarchies()]
        self.process, self.leader = None, None
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(os.path.join(self.folder, "notify"))

    # --- power ---

    def boot(self):
        for group in self.groups:
            os.makedirs(group, exist_ok=True)
        command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--directory", self.root,
                   "--machine", self.name, "--hostname", self.name, "--link-journal=no", "--console=pipe",
                   "--resolv-conf=off", "--timezone=off", "--notify-ready=yes", f"--capability={CAPABILITIES}",
                   "--system-call-filter=bpf", f"--bind-ro={self.packages}:/packages",
                   f"--network-namespace-path=/proc/{self.host.pid}/ns/net"]
        if not HAS_SYSTEMD:
            command.insert(1, "--keep-unit")
        with open(os.path.join(self.folder, "console"), "ab") as console:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                            preexec_fn=self.settle,
                                            env={**os.environ, "NOTIFY_SOCKET": os.path.join(self.folder, "notify")})

    def settle(self):
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # it shuts its machine down; killed, it would leave it alone
        os.setsid()
        for group in self.groups:
            with open(os.path.join(group, "cgroup.procs"), "w") as f:
                f.write("0")

    def wait_booted(self):
        """Until its systemd says so; then until it has nothing left to do."""
        end, ready = time.monotonic() + BOOT_SECONDS, False
        while not ready:
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failure(f"{self.name} does not boot: {self.console()[-3000:]}")
            if select.select([self.notices], [], [], 0.2)[0]:
                said = self.notices.recv(65536).decode()
                if leader := re.search(r"^X_NSPAWN_LEADER_PID=(\d+)$", said, re.M):
                    self.leader = int(leader[1])
                ready = re.search(r"^READY=1$", said, re.M) is not None
        state = self.run("systemctl", "is-system-running", "--wait", fails=None).strip()
        check(state == "running", f"{self.name} is {state}: {self.run('systemctl', '--failed', fails=None)}")

    def reboot(self):
        """Its systemd ends everything in order, and boots again: nspawn does that, or says that it is to be done."""
        while select.select([self.notices], [], [], 0)[0]:
            self.notices.recv(65536)
        self.run("systemctl", "reboot", fails=None)
        if not HAS_SYSTEMD:
            check(self.process.wait(BOOT_SECONDS) == REBOOT, f"{self.name} ended: {self.console()[-3000:]}")
            self.boot()
        self.wait_booted()

    def cut_power(self):
        """A machine ends at once with its first process."""
        if self.leader:
            try:
                os.kill(self.leader, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def close(self):
        if self.process:
            self.cut_power()
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for group in self.groups:
            remove_groups(group)
        self.notices.close()
        subprocess.run(["umount", self.root], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what runs in it ---

    def run(self, *argv, fails=False, text=None):
        """Its output.  `fails`: None if it may, or may not."""
        done = subprocess.run(["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net", "--pid",
                               "--wdns=/", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                               "DEBIAN_FRONTEND=noninteractive", *argv], input=text, capture_output=True, text=True,
                              timeout=BOOT_SECONDS)
        if fails is not None and (done.returncode != 0) != fails:
            raise Failure(f"{self.name}: {' '.join(argv)}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def property(self, unit, name):
        return self.run("systemctl", "show", "--value", "--property", name, unit).strip()

    def since(self, unit, event):
        """When it was last so, in seconds of the clock that tells no date."""
        return int(self.property(unit, event + "TimestampMonotonic")) / 1e6

    def pids(self, *units):
        return [self.property(unit, "MainPID") for unit in units]

    def kill(self, unit, signal_name):
        self.run("systemctl", "kill", "--kill-whom=main", "--signal=" + signal_name, unit)

    def write(self, path, text):
        """Over what is there: owner and mode stay."""
        self.run("sh", "-c", f"mkdir -p {os.path.dirname(path)} && cat > {path}", text=text)

    def owner(self, path):
        return self.run("stat", "--format", "%U:%G %a", path).strip()

    def files(self):
        """All of them, but for what a running Debian writes by itself."""
        found = self.run("find", "/", "-xdev", "-regextype", "egrep", "-regex", OF_DEBIAN, "-prune", "-o", "-print")
        return set(found.splitlines())

    def console(self):
        with open(os.path.join(self.folder, "console"), errors="replace") as f:
            return f.read()

    def journal(self):
        return self.run("journalctl", "--no-pager", "--output=short-precise", "--unit=lbd", "--unit=hafailover",
                        "--lines=60", fails=None)
