"""An agent's record and where its store is: what is written is read back, and what is no record is refused."""

from __future__ import annotations

import dataclasses
import json
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.leases.config import parse_config
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError, StoreError
from vxlanpkt.overlay.service.agent_record import AgentRecord
from vxlanpkt.overlay.service.network_namespace import NetworkNamespace
from vxlanpkt.overlay.stores.etcd_store import EtcdStore
from vxlanpkt.overlay.stores.file_store import FileStore
from vxlanpkt.overlay.stores.store_location import StoreLocation
from vxlanpkt.strategies import agent_statuses

CONFIG = '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
RECORD = AgentRecord(
    4711, StoreLocation("/store"), CONFIG, "/run/subnet.env", NetworkNamespace(4, 4026531840), ("10.5.1.0/24",),
    ("192.0.2.1",),
)  # fmt: skip

texts = st.text(max_size=20)
locations = st.builds(
    StoreLocation, directory=texts, urls=st.lists(texts, max_size=3).map(tuple), prefix=texts,
    cafile=st.none() | texts, username=st.none() | texts, password_file=st.none() | texts,
)  # fmt: skip


@given(location=locations, status=agent_statuses(), kept=st.booleans())
def test_written_and_read(
    location: StoreLocation, status: AgentStatus, kept: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "record.json"
    record = dataclasses.replace(RECORD, store=location).of_ready(status)
    record = record.of_kept() if kept else record
    record.write(path)
    assert AgentRecord.read(path) == record
    assert (record.subnets, record.kept) == (status.subnets, kept)
    assert set(record.addresses) == {link.local for link in status.links}


def test_none(tmp_path: Path) -> None:
    assert AgentRecord.read(tmp_path / "nothing.json") is None


WHOLE = json.loads(json.dumps(dataclasses.asdict(RECORD)))


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{}", '"x"', '{"pid": 1', "[" * 100_000,
        *(json.dumps({name: WHOLE[name] for name in WHOLE if name != left}) for left in WHOLE if left != "kept"),
        json.dumps({**WHOLE, "more": 1}), json.dumps({**WHOLE, "store": None}), json.dumps({**WHOLE, "subnets": 1}),
        json.dumps({**WHOLE, "namespace": [4]}), json.dumps({**WHOLE, "namespace": "here"}),
        json.dumps({**WHOLE, "store": {**WHOLE["store"], "urls": None}}),
    ],
)  # fmt: skip
def test_no_record(text: str, tmp_path: Path) -> None:
    """A message that names the file."""
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(LeaseFormatError, match=r"record\.json: no record of an agent"):
        AgentRecord.read(path)


def test_the_network() -> None:
    assert RECORD.network == parse_config(CONFIG)


def test_a_directory(tmp_path: Path) -> None:
    store = StoreLocation(str(tmp_path)).open()
    assert isinstance(store, FileStore)
    assert store.offer_config(CONFIG)


def test_an_etcd(tmp_path: Path) -> None:
    """The password is read when the store is opened, and is nowhere in the location."""
    (tmp_path / "password").write_text("secret\n")
    location = StoreLocation(
        urls=("http://127.0.0.1:1", "http://127.0.0.1:2"),
        prefix="/p",
        username="u",
        password_file=str(tmp_path / "password"),
    )
    assert repr(location.open()) == "EtcdStore('http://127.0.0.1:1, http://127.0.0.1:2', '/p')"
    assert isinstance(location.open(), EtcdStore)
    assert "secret" not in repr(location)
    with pytest.raises(FileNotFoundError):
        dataclasses.replace(location, password_file=str(tmp_path / "nothing")).open()


def test_certificates(tmp_path: Path) -> None:
    """Only for https, and a file that is none is named."""
    (tmp_path / "ca.pem").write_text("no certificate")
    location = StoreLocation(urls=("https://127.0.0.1:1",), cafile=str(tmp_path / "ca.pem"))
    with pytest.raises(StoreError, match=r"cannot be used \(.*ca\.pem\)") as caught:
        location.open()
    assert isinstance(caught.value.__cause__, ssl.SSLError)
    dataclasses.replace(location, urls=("http://127.0.0.1:1",)).open()
    dataclasses.replace(location, cafile=None).open()
