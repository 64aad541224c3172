"""Where a network's leases are, as a value: enough to open the store, now and once more after the agent has died."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError, StoreError
from vxlanpkt.overlay.leases.stores import OnUnreadable
from vxlanpkt.overlay.stores.etcd_store import PREFIX, EtcdStore
from vxlanpkt.overlay.stores.file_store import FileStore

DIRECTORY = "/var/lib/vxlanpkt/network"


@dataclass(frozen=True)
class StoreLocation:
    """A directory, or with *urls* an etcd.

    prefix: of etcd's keys. cafile: who signed etcd's certificate, None for those that the system trusts. certfile,
    keyfile: this node's own certificate. username, password_file: of an etcd with authentication; the password itself
    is read when the store is opened.
    """

    directory: str = DIRECTORY
    urls: tuple[str, ...] = ()
    prefix: str = PREFIX
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    username: str | None = None
    password_file: str | None = None

    def open(self, *, timeout: float = 30.0, unreadable: OnUnreadable | None = None) -> FileStore | EtcdStore:
        """The store; *timeout* and *unreadable* are its parameters."""
        if not self.urls:
            return FileStore(self.directory, timeout=timeout, unreadable=unreadable)
        return EtcdStore(
            self.urls, self.prefix, timeout=timeout, unreadable=unreadable,
            context=self._context(), username=self.username, password=self._password(),
        )  # fmt: skip

    def _context(self) -> ssl.SSLContext | None:
        if not any(url.startswith("https:") for url in self.urls):
            return None
        try:
            context = ssl.create_default_context(cafile=self.cafile)
            if self.certfile is not None:
                context.load_cert_chain(self.certfile, self.keyfile)
        except OSError as error:  # it does not say of which file
            named = ", ".join(path for path in (self.cafile, self.certfile, self.keyfile) if path is not None)
            raise StoreError(
                f"the certificates of etcd cannot be used ({named}): {error}", store=str(self.urls)
            ) from error
        return context

    def _password(self) -> str | None:
        if self.password_file is None:
            return None
        return Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")

    @classmethod
    def from_members(cls, members: Any) -> StoreLocation:
        """What `dataclasses.asdict` made of one, read from JSON; raises `LeaseFormatError` for anything else."""
        try:
            return cls(**{**members, "urls": tuple(members["urls"])})
        except (TypeError, KeyError) as error:
            raise LeaseFormatError(f"no place of a store: {error}", what="store", text=str(members)) from error
