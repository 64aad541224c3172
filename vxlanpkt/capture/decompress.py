"""Compressed input, gzip or zstd, turned into the bytes inside as they arrive."""

from __future__ import annotations

import io
from functools import partial
from typing import Any, Literal, Protocol

from vxlanpkt.errors import CaptureError

Compression = Literal["gzip", "zstd"]


class Decoder(Protocol):
    """One compression format.

    `decode(data, limit)` takes compressed bytes and returns what they yield, about *limit* bytes at a time: the rest
    comes from `decode(b"", limit)`, while `pending`. `complete`: the stream may end here. `name`: the format's.
    `feed`: how many compressed bytes it wants at a time. Raises `errors` on corrupt bytes.
    """

    name: str
    feed: int
    errors: type[Exception]
    pending: bool
    complete: bool

    def decode(self, data: bytes, limit: int) -> bytes:
        """What *data* yields, as the class says."""
        ...


class GzipDecoder:
    """gzip (RFC 1952): members one after the other, zero bytes between and behind them ignored."""

    name = "gzip"
    feed = 1 << 16

    def __init__(self) -> None:
        import zlib

        self.errors: type[Exception] = zlib.error
        self._new_member: Any = partial(zlib.decompressobj, 31)
        self._member = self._new_member()
        self._input = b""
        self.complete = False
        self.pending = False

    def decode(self, data: bytes, limit: int) -> bytes:
        """See `Decoder`."""
        data = self._input + data
        if self.complete:
            data = data.lstrip(b"\0")
            if not data:
                self._input, self.pending = b"", False
                return b""
            self._member = self._new_member()
        out: bytes = self._member.decompress(data, limit)
        self.complete = self._member.eof
        self._input = self._member.unused_data if self.complete else self._member.unconsumed_tail
        # zlib may hold output back when the limit stopped it, even with no input left over.
        self.pending = bool(self._input) or (len(out) == limit and not self.complete)
        return out


class ZstdDecoder:
    """Zstandard (RFC 8878): frames one after the other.

    The library's decoder takes no limit, so it is fed so little at a time that this yields 32 MiB at the most.
    """

    name = "zstd"
    feed = 1 << 10

    def __init__(self) -> None:
        try:
            import zstandard
        except ImportError:
            raise CaptureError(
                "the capture is compressed with zstd: install the extra vxlanpkt[zstd] to read it", offset=0
            ) from None
        self.errors: type[Exception] = zstandard.ZstdError
        self._new_frame: Any = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new_frame()
        self._input = b""
        self.complete = False
        self.pending = False

    def decode(self, data: bytes, limit: int) -> bytes:
        """See `Decoder`."""
        data = self._input + data
        if self.complete:
            self._frame = self._new_frame()
        out: bytes = self._frame.decompress(data)
        self.complete = self._frame.eof
        self._input = self._frame.unused_data if self.complete else b""
        self.pending = bool(self._input)
        return out


def decoder_for(compression: Compression) -> Decoder:
    """The decoder for a compression; CaptureError if it takes a package that is not installed."""
    return GzipDecoder() if compression == "gzip" else ZstdDecoder()


class Inflated(io.RawIOBase):
    """The bytes inside a compressed stream, handed out as soon as enough of it is there.

    A stream that breaks off or is corrupt ends early, and `fault` says why: what came before is still of use.
    """

    def __init__(self, compressed: Any, head: bytes, decoder: Decoder) -> None:
        """Read *compressed*, a buffered reader, of which the bytes *head* have already been taken."""
        self.fault: str | None = None
        self._compressed = compressed
        self._decoder = decoder
        self._head = head
        self._ready = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """True: it is made to be read."""
        return True

    def readinto(self, into: Any) -> int:
        """Fill *into* with some bytes; 0 at the end, and at a fault."""
        while not self._ready and not self._ended:
            self._ready = memoryview(self._decode_some(len(into)))
        count = min(len(into), len(self._ready))
        into[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _decode_some(self, limit: int) -> bytes:
        """Some more bytes, or none although more may follow; at the end `_ended` is set."""
        decoder = self._decoder
        data = b""
        if not decoder.pending:
            data = self._head or self._compressed.read1(decoder.feed)
            self._head = b""
            if not data:
                self._ended = True
                if not decoder.complete:
                    self.fault = f"the {decoder.name} stream is cut"
                return b""
        try:
            return decoder.decode(data, limit)
        except decoder.errors as error:
            self._ended = True
            self.fault = f"the {decoder.name} stream is corrupt: {error}"
            return b""
