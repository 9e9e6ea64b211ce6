"""gRPC end to end, with the real thing at both ends: every kind of call, errors, deadlines; plain and over TLS."""

import concurrent.futures
import contextlib
import threading

from harness import Lbd, Skip, check, config, equal
from tls_peers import tls_config, usual

try:
    import grpc
except ImportError:
    grpc = None


class Service:
    """Messages are bytes as they are."""

    def __init__(self, secure=False):
        if not grpc:
            raise Skip("python3-grpcio is not installed")
        self.cancelled = threading.Event()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("t.T", {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Down": grpc.unary_stream_rpc_method_handler(self.down),
            "Up": grpc.stream_unary_rpc_method_handler(self.up),
            "Both": grpc.stream_stream_rpc_method_handler(self.both),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Hang": grpc.unary_stream_rpc_method_handler(self.hang)})])
        if secure:
            pair = [(open(usual().key, "rb").read(), open(usual().file, "rb").read())]
            self.port = self.server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
        else:
            self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{self.port}"
        self.server.start()

    @staticmethod
    def unary(message, context):
        context.set_trailing_metadata([("x-length", str(len(message)))])
        return message[::-1]

    @staticmethod
    def down(message, _):
        for i in range(int(message)):
            yield b"%d" % i * 100

    @staticmethod
    def up(messages, _):
        return b"%d" % sum(len(m) for m in messages)

    @staticmethod
    def both(messages, _):
        for m in messages:
            yield m.upper()

    @staticmethod
    def fail(message, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, message.decode())

    def hang(self, _, context):
        context.add_callback(self.cancelled.set)
        yield b"first"
        self.cancelled.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(0)


@contextlib.contextmanager
def calling(lbd, secure=False):
    host, port = lbd.address()
    options = [("grpc.ssl_target_name_override", "www.example.org")]
    if secure:
        trust = grpc.ssl_channel_credentials(open(usual().file, "rb").read())
        channel = grpc.secure_channel(f"{host}:{port}", trust, options)
    else:
        channel = grpc.insecure_channel(f"{host}:{port}")
    try:
        yield channel
    finally:
        channel.close()


def every_kind_of_call(channel):
    message = bytes(range(256)) * 300
    answer, call = channel.unary_unary("/t.T/Unary").with_call(message, timeout=20)
    equal(answer == message[::-1], True, "a unary answer")
    equal(dict(call.trailing_metadata())["x-length"], str(len(message)), "metadata behind it")
    equal([m for m in channel.unary_stream("/t.T/Down")(b"50", timeout=20)], [b"%d" % i * 100 for i in range(50)],
          "a stream of the server's")
    equal(channel.stream_unary("/t.T/Up")(iter([b"x" * 10000] * 100), timeout=20), b"1000000", "one of the client's")
    sent, turn = [], threading.Semaphore(1)

    def each():
        for i in range(10):
            turn.acquire()  # the next one goes when the answer to the last has come
            sent.append(b"message %d" % i)
            yield sent[-1]

    for got in channel.stream_stream("/t.T/Both")(each(), timeout=20):
        equal(got, sent[-1].upper(), "the answer to what was just sent")
        turn.release()
    equal(len(sent), 10, "messages")


def failing_calls(channel, service):
    try:
        channel.unary_unary("/t.T/Fail")(b"not so", timeout=20)
        raise AssertionError("it did not fail")
    except grpc.RpcError as e:
        equal((e.code(), e.details()), (grpc.StatusCode.FAILED_PRECONDITION, "not so"), "the server's status")
    try:
        channel.unary_unary("/t.T/Nothing")(b"", timeout=20)
        raise AssertionError("it did not fail")
    except grpc.RpcError as e:
        equal(e.code(), grpc.StatusCode.UNIMPLEMENTED, "a status without a message")
    try:
        for got in channel.unary_stream("/t.T/Hang")(b"", timeout=0.5):
            equal(got, b"first", "what came before the deadline")
        raise AssertionError("it did not end")
    except grpc.RpcError as e:
        equal(e.code(), grpc.StatusCode.DEADLINE_EXCEEDED, "past the deadline")
    check(service.cancelled.wait(20), "the server hears that the client has given up")


def test_plain():
    with Service() as service, \
            Lbd(config(service, listener={"http2": True}, pool={"http2": True})) as lbd, calling(lbd) as channel:
        every_kind_of_call(channel)
        failing_calls(channel, service)
        equal(channel.unary_unary("/t.T/Unary")(b"abc", timeout=20), b"cba", "a call after all that")


def test_over_tls():
    pool = {"http2": True, "tls": {"ca": usual().file}}
    with Service(secure=True) as service, Lbd(tls_config(service, pool=pool)) as lbd, calling(lbd, True) as channel:
        every_kind_of_call(channel)
        failing_calls(channel, service)
        equal(lbd.metric("lbpair_server_tls_handshakes_total", resumed="no"), 1, "connections to the server")


def test_the_server_restarts():
    """Calls that the old server has not begun are made again; a reload, and calls go on."""
    with Service() as first, Service() as second:
        def to(service):
            return config({"name": "a", "address": service.address}, listener={"http2": True}, pool={"http2": True})

        with Lbd(to(first)) as lbd, calling(lbd) as channel:
            unary = channel.unary_unary("/t.T/Unary")
            equal(unary(b"ab", timeout=20), b"ba", "a call")
            pending = [unary.future(b"%d" % i * 1000, timeout=20) for i in range(200)]
            lbd.reload(to(second))
            for i, p in enumerate(pending):
                equal(p.result(), (b"%d" % i * 1000)[::-1], "a call during a reload")
            first.server.stop(5).wait()
            equal(unary(b"ab", timeout=20), b"ba", "a call to the other one")
