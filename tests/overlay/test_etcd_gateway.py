"""What the client of etcd's gateway makes of servers that answer oddly, slowly, in pieces, or not at all."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.waiting import eventually
from vxlanpkt import FieldError
from vxlanpkt.overlay import (
    Added,
    EtcdStore,
    LeaseAttributes,
    LeaseLostError,
    LeaseWatch,
    Snapshot,
    StoreError,
    Subnets,
)
from vxlanpkt.overlay.leases.leases import Lease
from vxlanpkt.overlay.stores import etcd_gateway, etcd_watch
from vxlanpkt.overlay.stores.etcd_answers import EtcdRefusal, bytes64, text64
from vxlanpkt.overlay.stores.etcd_gateway import EtcdGateway

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
    assert gateway(server.url + "/behind/").call("kv/range", {"key": text64("a")}, dict) == {
        "header": {"revision": "7"}
    }
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
        (whole(b"[" * 200_000), "nested too deeply"),
        (whole(b"Not Found", b"404 Not Found"), "Expecting value"),
        (HEAD + b"Content-Length: 100\r\n\r\n{", "Expecting"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "IncompleteRead"),
        (whole(b'{"error":"etcdserver: no leader","code":14}', b"503 Service Unavailable"), "no leader"),
    ],
)
def test_what_is_no_answer(answer: bytes, why: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for again until the time is up, and then it is the reason."""
    server = serve([answer])
    pauses: list[float] = []  # of which each takes four seconds, without waiting
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 4 * len(pauses), sleep=pauses.append)
    with monkeypatch.context() as patched:
        patched.setattr(etcd_gateway, "time", clock)
        with pytest.raises(StoreError, match=why):
            gateway(server.url, timeout=20).call("kv/range", {}, dict)
    assert len(server.asked) == 1 + len(pauses) > 1
    assert gateway(serve([answer], [whole(b"{}")]).url).call("kv/range", {}, dict) == {}


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
        gateway(server.url).call("lease/revoke", {}, dict)
    assert caught.value.not_found
    assert len(server.asked) == 1


def test_an_answer_that_trickles(serve: Serve) -> None:
    """However slowly it comes, the time that there is for it does not grow."""
    server = serve([HEAD + b"Content-Length: 1000\r\n\r\n", *[b" "] * 1000], pause=0.02)
    began = time.monotonic()
    with pytest.raises(StoreError):
        gateway(server.url, timeout=0.3).call("kv/range", {}, dict)
    assert time.monotonic() - began < 10


def test_nobody_there(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nowhere = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(StoreError, match="refused"):
        gateway(nowhere, timeout=0.1).call("kv/range", {}, dict)
    both = gateway(nowhere, serve([whole(b"{}")]).url)
    assert both.call("kv/range", {}, dict) == {}


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
    """After each failure all is listed again, and the stream asked for from there; an event without a type is a PUT."""
    attributes = LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01")
    put = event("10.5.9.0-24", value=text64(attributes.to_value()), mod_revision="8")
    server = serve(
        [whole(b'{"header":{"revision":"7"}}')],
        [HEAD + b"\r\n"],
        [whole(b'{"header":{"revision":"7"}}')],
        [HEAD + b'\r\n{"result":{"header":{"revision":"7"},"created":true}}\n' + put],
        [b"nonsense\r\n\r\n"],
        [whole(b'{"header":{"revision":"8"}}')],
        [HEAD + b'\r\n{"result":{"header":{"revision":"9"},"canceled":true,"compact_revision":"9"}}\n'],
        [whole(b'{"header":{"revision":"9"}}')],
        [HEAD + b'\r\n{"result":{"header":{"revision":"3"},"created":true}}\n'],
        [whole(b'{"header":{"revision":"3"}}')],
        [HEAD + b"\r\n"],
    )
    watch = EtcdStore(server.url).watch()
    added = Added(Lease(Subnets.from_key("10.5.9.0-24"), attributes))
    empty = Snapshot(())
    assert [watch.poll(10) for _ in range(6)] == [empty, empty, added, empty, empty, empty]
    watch.close()
    requests = [json.loads(asked.partition(b"\r\n\r\n")[2]) for asked in server.asked]
    starts = [asked["create_request"]["start_revision"] for asked in requests if "create_request" in asked]
    assert starts[:4] == ["8", "8", "9", "10"]


NO_ANSWERS = (
    b"{}",
    b'{"header":7}',
    b'{"header":{"revision":"x"}}',
    b'{"header":{"revision":[]}}',
    b'{"header":{},"kvs":7}',
    b'{"header":{},"kvs":[7]}',
    b'{"header":{},"kvs":[{"value":""}]}',
    b'{"header":{},"kvs":[{"key":"YQ="}]}',
    b'{"header":{},"kvs":[{"key":"YQ==","mod_revision":"x"}]}',
    b'{"kvs":[{"key":"YQ==","value":"eyJOZXR3b3JrIjoiMTAuNS4wLjAvMTYifQ==","mod_revision":"3"}]}',
)


def _fault(watch: LeaseWatch) -> str:
    """What it says after a moment in which it had nothing to tell."""
    assert watch.poll(0.05) is None
    return watch.fault


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_answers_that_are_not_etcds(body: bytes, serve: Serve) -> None:
    """JSON, but not what etcd says: whatever was asked, it is the store that is at fault."""
    attributes = LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01")
    store = EtcdStore(serve([whole(body)]).url, timeout=0.05)
    for ask in (
        store.leases, store.config, lambda: store.acquire(attributes),
        lambda: store.renew(Lease(Subnets.from_key("10.5.9.0-24"), attributes)),
    ):  # fmt: skip
        with pytest.raises(StoreError):
            ask()
    with store.watch() as watch:
        assert eventually(lambda: _fault(watch))


@pytest.mark.parametrize("body", [b"{}", b'{"header":{"revision":"2"},"ID":"0","TTL":"60"}'])
def test_a_grant_that_is_none(body: bytes, serve: Serve) -> None:
    """What hangs on lease 0 never ends: no lease may be put there by mistake."""
    config = {"key": "YQ==", "value": text64('{"Network":"10.5.0.0/16"}'), "mod_revision": "1"}
    server = serve(
        [whole(json.dumps({"header": {"revision": "2"}, "kvs": [config]}).encode())],
        [whole(b'{"header":{"revision":"2"}}')],
        [whole(body)],
    )
    with pytest.raises(StoreError):
        EtcdStore(server.url, timeout=0.2).acquire(LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01"))
    assert not any(b"kv/txn" in asked for asked in server.asked)


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_a_watch_that_is_told_nonsense(body: bytes, serve: Serve) -> None:
    """It says so, and lists all again."""
    result = b'{"result":' + body.replace(b"kvs", b"events") + b"}\n"
    server = serve([whole(b'{"header":{"revision":"7"}}')], [HEAD + b"\r\n" + result], [whole(b"{}")])
    with EtcdStore(server.url).watch() as watch:
        assert watch.poll(10) == Snapshot(())
        assert eventually(lambda: _fault(watch))


def test_an_etcd_that_does_not_begin_to_watch(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has taken the request and says nothing, as one that is only just starting: it is not waited for a minute."""
    monkeypatch.setattr(etcd_watch, "ATTEMPT_SECONDS", 0.1)
    server = serve([whole(b'{"header":{"revision":"7"}}')], [HEAD + b"\r\n"], pause=3.0)
    with EtcdStore(server.url).watch() as watch:
        assert watch.poll(10) == Snapshot(())
        deadline = time.monotonic() + 10
        while "said nothing for 0.1 s" not in watch.fault:
            assert watch.poll(0.03) is None
            assert time.monotonic() < deadline


def test_a_watch_that_has_begun_knows_nothing_yet(serve: Serve) -> None:
    """etcd says that it watches before it tells what there is to tell: a new connection asks for that again."""
    server = serve(
        [whole(b'{"header":{"revision":"7"}}')],
        [HEAD + b'\r\n{"result":{"header":{"revision":"9"},"created":true}}\n', *[b""] * 3],  # held open so long
        pause=0.3,
    )
    with EtcdStore(server.url, quiet_seconds=0.7).watch() as watch:
        assert watch.poll(10) == Snapshot(())
        deadline = time.monotonic() + 10
        while len(server.asked) < 3:
            assert watch.poll(0.05) is None
            assert time.monotonic() < deadline
        requests = [json.loads(asked.partition(b"\r\n\r\n")[2]) for asked in server.asked]
        assert [asked["create_request"]["start_revision"] for asked in requests[1:3]] == ["8", "8"]


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
