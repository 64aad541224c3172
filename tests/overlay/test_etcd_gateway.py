"""What the client of etcd's gateway makes of servers that answer oddly, slowly, in pieces, or not at all."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxlanpkt import FieldError
from vxlanpkt.overlay import Added, EtcdStore, LeaseAttributes, LeaseLostError, Snapshot, StoreError, Subnets
from vxlanpkt.overlay.leases.leases import Lease
from vxlanpkt.overlay.stores.etcd_gateway import EtcdGateway, EtcdRefusal, bytes64, text64

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def whole(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Server:
    """Gives each connection, in turn, the pieces that the test has for it; the last for all that follow."""

    def __init__(self, answers: list[list[bytes]], pause: float = 0.0) -> None:
        self.answers = answers
        self.pause = pause
        self.asked: list[bytes] = []
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0.05)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _serve(self) -> None:
        number = 0
        while not self.over.is_set():
            try:
                connection, _ = self.listener.accept()
            except TimeoutError:
                continue
            with connection:
                self._answer(connection, self.answers[min(number, len(self.answers) - 1)])
            number += 1

    def _answer(self, connection: socket.socket, pieces: list[bytes]) -> None:
        connection.settimeout(5)
        asked = b""
        try:
            while b"\r\n\r\n" not in asked or not asked.endswith(b"}"):
                asked += connection.recv(65536)
            self.asked.append(asked)
            for piece in pieces:
                connection.sendall(piece)
                self.over.wait(self.pause)
        except OSError:
            pass  # the client had enough

    def close(self) -> None:
        self.over.set()
        self.thread.join()
        self.listener.close()


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def make(*answers: list[bytes], pause: float = 0.0) -> Server:
        servers.append(Server(list(answers), pause))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def gateway(*urls: str, timeout: float = 5.0) -> EtcdGateway:
    return EtcdGateway(urls, timeout=timeout, context=None, username=None, password=None, random=Random(1))


def test_a_call(serve: Serve) -> None:
    server = serve([whole(b'{"header":{"revision":"7"}}')])
    assert gateway(server.url + "/behind/").call("kv/range", {"key": text64("a")}) == {"header": {"revision": "7"}}
    head, _, body = server.asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /behind/v3/kv/range HTTP/1.1\r\n")
    assert json.loads(body) == {"key": "YQ=="}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "closed connection"),
        (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0"),
        (whole(b""), "Expecting value"),
        (whole(b"\xff"), "utf"),
        (whole(b"[1]"), "no JSON object"),
        (whole(b"Not Found", b"404 Not Found"), "Expecting value"),
        (HEAD + b"Content-Length: 100\r\n\r\n{", "Expecting"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "IncompleteRead"),
        (whole(b'{"error":"etcdserver: no leader","code":14}', b"503 Service Unavailable"), "no leader"),
    ],
)
def test_what_is_no_answer(answer: bytes, why: str, serve: Serve) -> None:
    """It is asked for again until the time is up, and then it is the reason."""
    server = serve([answer])
    with pytest.raises(StoreError, match=why):
        gateway(server.url, timeout=0.2).call("kv/range", {})
    assert len(server.asked) > 1
    assert gateway(serve([answer], [whole(b"{}")]).url).call("kv/range", {}) == {}


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"etcdserver: requested lease not found","message":"etcdserver: requested lease not found","code":5}',
        b'{"error":{"grpc_code":5,"http_code":404,"message":"etcdserver: requested lease not found"}}',
    ],
)
def test_refusals_are_not_tried_again(body: bytes, serve: Serve) -> None:
    server = serve([whole(body, b"404 Not Found")])
    with pytest.raises(EtcdRefusal, match="requested lease not found") as caught:
        gateway(server.url).call("lease/revoke", {})
    assert caught.value.not_found
    assert len(server.asked) == 1


def test_an_answer_that_trickles(serve: Serve) -> None:
    """However slowly it comes, the time that there is for it does not grow."""
    server = serve([HEAD + b"Content-Length: 1000\r\n\r\n", *[b" "] * 1000], pause=0.02)
    began = time.monotonic()
    with pytest.raises(StoreError):
        gateway(server.url, timeout=0.3).call("kv/range", {})
    assert time.monotonic() - began < 10


def test_nobody_there(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nowhere = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(StoreError, match="refused"):
        gateway(nowhere, timeout=0.1).call("kv/range", {})
    both = gateway(nowhere, serve([whole(b"{}")]).url)
    assert both.call("kv/range", {}) == {}


@pytest.mark.parametrize("urls", [[], ["127.0.0.1:2379"], ["ftp://etcd"], ["http://"], ""])
def test_odd_urls(urls: list[str] | str) -> None:
    with pytest.raises(FieldError):
        EtcdStore(urls)


def stream_of(server: Server) -> tuple[list[object], str]:
    """All that a stream has, and how it ends."""
    wake, waker = socket.socketpair()
    with wake, waker:
        stream = gateway(server.url).stream("watch", {})
        found: list[object] = []
        try:
            while (message := stream.read(5, wake)) is not None:
                found.append(message)
        except StoreError as error:
            return found, str(error)
        finally:
            stream.close()
    return found, "silence"


LINES = b'{"result":{"created":true}}\n{"result":{"events":[1]}}\n{"result":{}}\n'


@settings(max_examples=40)
@given(data=st.data())
def test_streams_in_pieces(data: st.DataObject) -> None:
    """Wherever the chunks of the body end, and wherever the packets do."""
    ends = sorted(data.draw(st.sets(st.integers(1, len(LINES) - 1), max_size=6)))
    body = b"".join(chunk(LINES[start:end]) for start, end in zip([0, *ends], [*ends, len(LINES)], strict=True))
    sent = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=6)))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    server = Server([pieces])
    try:
        found, end = stream_of(server)
    finally:
        server.close()
    assert found == [{"created": True}, {"events": [1]}, {}]
    assert "ended" in end


def test_streams_without_chunks(serve: Serve) -> None:
    found, end = stream_of(serve([HEAD + b"\r\n" + LINES]))
    assert len(found) == 3
    assert "ended" in end


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 500 Oh\r\n\r\n", "500 Oh"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "zz"),
        (HEAD + b"\r\n[]\n", "no JSON object"),
        (HEAD + b"\r\nno\n", "Expecting value"),
        (HEAD + b'\r\n{"error":{"grpc_code":16,"message":"invalid auth token"}}\n', "invalid auth token"),
        (b"", "ended"),
    ],
)
def test_streams_that_are_none(answer: bytes, why: str, serve: Serve) -> None:
    found, end = stream_of(serve([answer]))
    assert found == []
    assert why in end


def event(key: str, **pair: str) -> bytes:
    read = {"kv": {"key": text64(f"/coreos.com/network/subnets/{key}"), **pair}}
    return json.dumps({"result": {"header": {"revision": "8"}, "events": [read]}}).encode() + b"\n"


def test_a_watch_over_breaks(serve: Serve) -> None:
    """A stream that ends is asked for again from where it was; an event without a type is a PUT."""
    attributes = LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01")
    put = event("10.5.9.0-24", value=text64(attributes.to_value()), mod_revision="8")
    server = serve(
        [whole(b'{"header":{"revision":"7"}}')],
        [HEAD + b"\r\n"],
        [HEAD + b'\r\n{"result":{"header":{"revision":"7"},"created":true}}\n' + put],
        [b"nonsense\r\n\r\n"],
        [HEAD + b'\r\n{"result":{"header":{"revision":"9"},"canceled":true,"compact_revision":"9"}}\n'],
        [whole(b'{"header":{"revision":"9"}}')],
        [HEAD + b"\r\n"],
    )
    watch = EtcdStore(server.url).watch()
    assert watch.poll(10) == Snapshot(())
    assert watch.poll(10) == Added(Lease(Subnets.from_key("10.5.9.0-24"), attributes))
    assert watch.poll(10) == Snapshot(())
    watch.close()
    requests = [json.loads(asked.partition(b"\r\n\r\n")[2]) for asked in server.asked]
    starts = [asked["create_request"]["start_revision"] for asked in requests if "create_request" in asked]
    assert starts[:4] == ["8", "8", "9", "9"]


def test_what_is_left_out_is_zero(serve: Serve) -> None:
    """A keepalive without a TTL is of a lease that has ended: the key is looked for again, and is gone."""
    attributes = LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01")
    lease = Lease(Subnets.from_key("10.5.9.0-24"), attributes)
    pair = {
        "key": text64("/coreos.com/network/subnets/10.5.9.0-24"),
        "value": text64(attributes.to_value()),
        "lease": "5",
    }
    server = serve(
        [whole(json.dumps({"header": {}, "kvs": [pair]}).encode())],
        [whole(b'{"result":{"ID":"5"}}')],
        [whole(b'{"header":{}}')],
    )
    with pytest.raises(LeaseLostError):
        EtcdStore(server.url).renew(lease)


@given(data=st.binary())
def test_base64(data: bytes) -> None:
    assert bytes64(text64(data)) == data
