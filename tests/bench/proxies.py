"""proxies.py - how each proxy is configured and started: one worker, nothing that nobody needs.

The peers do what lbd does by default and no more: HTTP/1.1 to the servers over kept connections,
and X-Forwarded-For.  lbd runs with its defaults (all three X-Forwarded fields, a request id, Via,
every limit and timeout) and without access log, as the others; the comparison errs on the peers'
side.
"""
import json
import os
import shutil
import signal

from processes import BenchError, Child, free_port, process_tree, wait_answers

LISTEN = "127.0.0.1"
CIPHERS = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"  # lbd's order, and browsers'


class Setup:
    """What the proxies of one scenario have in front of and behind them."""

    def __init__(self, servers, algorithm="round_robin", tls=False, hosts=0, http2=False, cookie=None,
                 rate=0, tcp=False):
        self.servers = servers              # "ADDR:PORT"
        self.hosts = hosts                  # so many are served, each by a route; others are not.  0: all
        self.http2 = http2                  # to the servers
        self.cookie = cookie                # its name: clients stay with their server by it
        self.rate = rate                    # requests a second that each client address may make; 0: any
        self.tcp = tcp                      # connections are passed on, not requests
        self.algorithm = algorithm          # as lbd names it
        self.tls = tls                      # HTTP/1.1 and HTTP/2 by ALPN, all with the bench's certificate


def served(hosts):
    """Their names: those of load -H, and the one that the bench itself asks for."""
    return [f"h{i:05}.example.com" for i in range(hosts)] + ["bench"]


class Proxy:
    """One configured proxy.  A subclass gives argv(); start() may wrap that with valgrind."""

    def __init__(self, name, bench, setup):
        self.name, self.bench, self.setup = name, bench, setup
        self.port = free_port(LISTEN)
        self.directory = bench.directory_for(name)
        self.child = None

    @classmethod
    def missing(cls, bench):
        """Why it cannot run here; None if it can."""
        return None if shutil.which(cls.program) else f"{cls.program} is not installed"

    def argv(self):
        raise NotImplementedError

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self, wrap=()):
        argv = [*wrap, *self.argv()]
        log = os.path.join(self.directory, "stderr")
        self.child = Child(argv, self.bench.proxy_cpu, log, self.bench.nice, cwd=self.directory)
        wait_answers(self.child, LISTEN, self.port, 60 if wrap else 10, self.setup.tls)

    def stop(self):
        """The exit status, None when it had to be killed."""
        return self.child.stop(signal.SIGTERM, 30)

    def pids(self):
        return process_tree(self.child.popen.pid)

    def address(self):
        return f"{LISTEN}:{self.port}"


class Lbd(Proxy):
    @classmethod
    def missing(cls, bench):
        return None if os.access(bench.lbd, os.X_OK) else f"{bench.lbd} is not built"

    def argv(self):
        listener = {"bind": [self.address()], "pool": "bench"}
        if self.setup.tcp:
            listener["protocol"] = "tcp"
        elif not self.setup.tls:
            listener["http2"] = True
        else:
            certificate = self.bench.certificate()
            listener["tls"] = {"certificates": [{"certificate": certificate, "key": certificate}]}
        if self.setup.hosts:
            listener["routes"] = [*({"host": h, "pool": "bench"} for h in served(self.setup.hosts)),
                                  {"respond": {"status": 404}}]
        if self.setup.rate:
            listener["rate_limit"] = {"requests_per_second": self.setup.rate}
        pool = {}
        if self.setup.cookie:
            pool["stickiness"] = {"name": self.setup.cookie, "secret_file": self.write("secret", "0123456789abcdef" * 2)}
        config = {
            "workers": 1,
            "log": {"access": {"format": "off"}},
            "admin": {"http": "off", "socket": os.path.join(self.directory, "lbd.sock")},
            "limits": {"connections": self.bench.connections_max},
            "timeouts": {"drain": "1s"},
            "listeners": [listener],
            "pools": [{"name": "bench", "algorithm": self.setup.algorithm,
                       "health_check": {"type": "none"}, "http2": self.setup.http2,
                       "servers": [{"address": a} for a in self.setup.servers], **pool}],
        }
        return [self.bench.lbd, "-c", self.write("lbd.json", json.dumps(config, indent=1))]


class Haproxy(Proxy):
    program = "haproxy"
    algorithms = {"round_robin": "roundrobin", "least_connections": "leastconn"}

    def argv(self):
        if self.setup.tcp:
            return self.tcp_argv()
        proto = " proto h2" if self.setup.http2 else ""
        cookie = f"    cookie {self.setup.cookie} insert indirect nocache" if self.setup.cookie else ""
        servers = "\n".join(f"    server s{i} {a}{proto}{f' cookie s{i}' if cookie else ''}"
                            for i, a in enumerate(self.setup.servers))
        route = "default_backend back"
        if self.setup.hosts:
            hosts = self.write("hosts.map", "".join(f"{h} back\n" for h in served(self.setup.hosts)))
            route = f"use_backend %[req.hdr(host),lower,map({hosts})]"  # else 503
        tls = f" ssl crt {self.bench.certificate()} alpn h2,http/1.1 ciphersuites {CIPHERS}" if self.setup.tls else ""
        limit = f"""
    stick-table type ip size 128k expire 10s store http_req_rate(1s)
    http-request track-sc0 src
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {self.setup.rate} }}""" if self.setup.rate else ""
        config = f"""
global
    nbthread 1
    maxconn {self.bench.connections_max}
    tune.pool-low-fd-ratio 80
    tune.pool-high-fd-ratio 90

defaults
    mode http
    timeout connect 5s
    timeout client 75s
    timeout server 75s
    timeout http-keep-alive 75s

frontend front
    bind {self.address()}{tls}
    maxconn {self.bench.connections_max}{limit}
    {route}

backend back
    balance {self.algorithms[self.setup.algorithm]}
    http-reuse always
    option forwardfor
{cookie}
{servers}
"""
        return [shutil.which("haproxy"), "-db", "-f", self.write("haproxy.cfg", config)]

    def tcp_argv(self):
        """splice-auto: as lbd does for large flows."""
        servers = "\n".join(f"    server s{i} {a}" for i, a in enumerate(self.setup.servers))
        config = f"""
global
    nbthread 1
    maxconn {self.bench.connections_max}
    maxpipes 128

defaults
    mode tcp
    option splice-auto
    timeout connect 5s
    timeout client 75s
    timeout server 75s
    timeout tunnel 1h

frontend front
    bind {self.address()}
    maxconn {self.bench.connections_max}
    default_backend back

backend back
    balance {self.algorithms[self.setup.algorithm]}
{servers}
"""
        return [shutil.which("haproxy"), "-db", "-f", self.write("haproxy.cfg", config)]


class Http2Server:
    """HAProxy again, this time as a server: HTTP/2 with prior knowledge, one answer of 128 bytes."""

    def __init__(self, bench):
        port = free_port(LISTEN)
        self.address = f"{LISTEN}:{port}"
        directory = bench.directory_for("http2-server")
        body, file = (os.path.join(directory, name) for name in ("body", "haproxy.cfg"))
        with open(body, "w") as f:
            f.write("x" * 128)
        with open(file, "w") as f:
            f.write(f"""
global
    nbthread 1

defaults
    mode http
    timeout client 75s

frontend server
    bind {self.address}
    http-request return status 200 content-type text/plain file {body}
""")
        self.child = Child([shutil.which("haproxy"), "-db", "-f", file], bench.load_cpu,
                           os.path.join(directory, "stderr"), bench.nice)
        wait_answers(self.child, LISTEN, port, 10)


class Nginx(Proxy):
    program = "nginx"
    algorithms = {"round_robin": "", "least_connections": "least_conn;"}

    def argv(self):
        servers = "\n".join(f"        server {a};" for a in self.setup.servers)
        tls = self.setup.tls and f"""
        ssl_certificate {self.bench.certificate()};
        ssl_certificate_key {self.bench.certificate()};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_prefer_server_ciphers on;
        ssl_conf_command Ciphersuites {CIPHERS};"""
        config = f"""
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile {self.bench.files_max};
error_log stderr error;
pid {self.directory}/pid;
events {{
    worker_connections {self.bench.files_max - 100};
}}
http {{
    access_log off;
    server_tokens off;
    sendfile on;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    client_body_buffer_size 128k;
    client_body_temp_path {self.directory}/body;
    proxy_temp_path {self.directory}/proxy;
    fastcgi_temp_path {self.directory}/fastcgi;
    uwsgi_temp_path {self.directory}/uwsgi;
    scgi_temp_path {self.directory}/scgi;
    upstream back {{
        {self.algorithms[self.setup.algorithm]}
{servers}
        keepalive {max(1024, 2 * len(self.setup.servers))};
        keepalive_requests 1000000000;
    }}
    server {{
        listen {self.address()}{" ssl http2" if tls else ""} backlog=4096;{tls or ""}
        location / {{
            proxy_pass http://back;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_buffer_size 32k;
            proxy_buffers 8 64k;
            proxy_busy_buffers_size 128k;
            proxy_max_temp_file_size 0;
        }}
    }}
}}
"""
        return [shutil.which("nginx"), "-p", self.directory, "-c", self.write("nginx.conf", config)]


class Floor(Proxy):
    tool = "floor"

    @classmethod
    def missing(cls, bench):
        path = bench.tool(cls.tool)
        return None if os.access(path, os.X_OK) else f"{path} is not built"

    def argv(self):
        options = self.name.split()[1:]
        return [self.bench.tool(self.tool), *options, self.address(), *self.setup.servers]


class Uring(Floor):
    tool = "uring"


KINDS = {"lbd": Lbd, "haproxy": Haproxy, "nginx": Nginx, "floor": Floor, "uring": Uring}
PEERS = ("haproxy", "nginx")


def kind_of(name):
    """The class for a name; "floor -e" is the floor with that option."""
    kind = KINDS.get(name.split()[0]) if name.split() else None
    if not kind or (kind is not Floor and " " in name):
        raise BenchError(f"no proxy called {name!r}; known: {', '.join(KINDS)}; "
                         "only floor takes options")
    return kind


def is_floor(name):
    return issubclass(kind_of(name), Floor)
