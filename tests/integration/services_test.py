"""Services as people have them, behind lbd in TCP mode: PostgreSQL and Redis of Debian."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile

from harness import Backend, Lbd, ReservedPort, check, equal, wait_for
from tcp_test import tcp
from tls_peers import usual


def tool(name, *places):
    """Its path."""
    found = shutil.which(name) or next((path for place in places for path in glob.glob(f"{place}/{name}")), None)
    check(found, f"there is no {name}: packaging/deps.sh test installs it")
    return found


def as_user(name):
    """What a process does first: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return None, lambda path: None
    user = pwd.getpwnam(name)

    def become():
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    return become, lambda path: os.chown(path, user.pw_uid, user.pw_gid)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, **options)
    check(done.returncode == 0, f"{command}: {done.stdout[-1500:]} {done.stderr[-1500:]}")
    return done.stdout


class Service:
    """A server in a directory of its own, killed at the end."""

    def __init__(self, user=None):
        self.directory = tempfile.mkdtemp(prefix="lbd-service-")
        self.port = ReservedPort()
        self.become, own = as_user(user) if user else (None, lambda path: None)
        own(self.directory)
        self.process = None

    def start(self, *command):
        self.port.close()
        self.process = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, preexec_fn=self.become,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers, f"{command[0]} to listen", timeout=30)

    def answers(self):
        check(self.process.poll() is None, f"it ended with status {self.process.returncode}")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port.port)) == 0

    @property
    def address(self):
        return self.port.address

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Redis(Service):
    def __init__(self):
        super().__init__()
        self.start(tool("redis-server"), "--port", str(self.port.port), "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--daemonize", "no")


class Postgres(Service):
    def __init__(self):
        super().__init__("postgres")
        places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
        self.client, self.bench = tool("psql", *places), tool("pgbench", *places)
        initdb, postgres = tool("initdb", *places), tool("postgres", *places)
        data = os.path.join(self.directory, "data")
        run(initdb, "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "--no-locale", "-E", "UTF8",
            preexec_fn=self.become, cwd=self.directory)
        self.start(postgres, "-D", data, "-p", str(self.port.port), "-h", "127.0.0.1", "-k", self.directory,
                   "-c", "fsync=off", "-c", "shared_buffers=16MB")


def to(lbd):
    host, port = lbd.address()
    return ["-h", host, "-p", str(port)]


def test_redis():
    """The checks speak its protocol; then the benchmark, and one in MULTI whose server dies."""
    check_pool = {"health_check": {"type": "tcp", "send": "PING\r\n", "expect": "+PONG", "interval": "100ms",
                                   "timeout": "100ms", "fall": 1, "rise": 1}}
    with Redis() as redis, Backend(lambda c: (c.read_some(), c.send(b"-LOADING\r\n"))) as other:
        with Lbd(tcp(redis, other, pool=check_pool)) as lbd:
            lbd.wait_metric("lbpair_server_up", 1, server=redis.address)
            lbd.wait_metric("lbpair_server_up", 0, server=other.address)
            out = run(tool("redis-benchmark"), *to(lbd), "-n", "5000", "-c", "20", "-t", "set,get,mset", "--csv")
            check(out.count("\n") >= 3, f"redis-benchmark said {out}")
            run(tool("redis-benchmark"), *to(lbd), "-n", "5000", "-c", "10", "-P", "16", "-d", "2000", "-t", "get")
            equal(run(tool("redis-cli"), *to(lbd), "set", "a", "b").strip(), "OK", "an answer")
            with lbd.client() as client:
                client.send(b"GET a\r\n")
                equal(client.read_exactly(7), b"$1\r\nb\r\n", "an answer")
                redis.process.kill()
                client.read_to_end()
            lbd.wait_metric("lbpair_server_up", 0, server=redis.address)


def test_redis_with_tls_that_ends_here():
    with Redis() as redis:
        conf = tcp(redis, listener={"tls": {"certificates": [usual().config()]}})
        with Lbd(conf) as lbd:
            out = run(tool("redis-cli"), *to(lbd), "--tls", "--cacert", usual().file, "--sni", "www.example.org", "ping")
            equal(out.strip(), "PONG", "an answer")


def test_postgresql():
    """Connections that stay, connections for one query each, a result that is large."""
    with Postgres() as postgres, Lbd(tcp(postgres, pool={"algorithm": "least_connections"}, workers=2)) as lbd:
        where = [*to(lbd), "-U", "postgres"]
        run(postgres.bench, *where, "-i", "-q", "-s", "1", "postgres")
        out = run(postgres.bench, *where, "-c", "4", "-t", "300", "-S", "postgres")
        check("number of failed transactions: 0" in out, out)
        out = run(postgres.bench, *where, "-c", "4", "-t", "20", "-C", "postgres")
        check("number of failed transactions: 0" in out, out)
        out = run(postgres.client, *where, "-AtX", "-c", "select md5(repeat('x', 30000000)), length(repeat('x', 30000000))",
                  "postgres")
        check(out.strip().endswith("|30000000"), out)
        out = run(postgres.client, *where, "-AtX", "-c", "select repeat('x', 20000000)", "postgres")
        equal(len(out.strip()), 20000000, "bytes of a large result")
        lbd.wait_metric("lbpair_server_active", 0)
