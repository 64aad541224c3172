"""What a layer is (the protocol that a user's own class meets), and what the built-in ones share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

from vxlanpkt import kernel
from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import BuildError, FieldError, misfit, refused_field
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span, span_of

if TYPE_CHECKING:
    from typing_extensions import Self

Address = MACAddress | IPv4Address | IPv6Address

_H = TypeVar("_H", bound="Header")

_number = int.from_bytes  # looked up once: called for every address


class Around(NamedTuple):
    """What a layer sees of its packet while it is built.

    `below` holds the layers that it stands on, outermost first; `content` the bytes that it wraps;
    `next_key` the key under which the layer behind it is bound to it, None if nothing says.
    """

    below: Sequence[Layer]
    content: bytes
    next_key: int | None = None

    def pseudo_header_sum(self, protocol: int, length: int, layer: str) -> int:
        """The sum of the pseudo-header of the nearest IP layer below; `BuildError` if there is none."""
        return pseudo_header_below(self.below, protocol, length, layer)


@runtime_checkable
class Layer(Protocol):
    """A protocol header as a value. Write such a class and bind it, to add a protocol.

    `NAME` appears in errors and in print; `DERIVED` lists the fields where None means compute;
    `TUNNEL` says that what follows is an inner packet.
    """

    NAME: ClassVar[str]
    DERIVED: ClassVar[tuple[str, ...]]
    TUNNEL: ClassVar[bool]

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Judge `buf[start:end]`: the only place that refuses."""
        ...

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> Self:
        """Read the header where `scan` found it; cannot fail."""
        ...

    def encode(self, around: Around) -> tuple[Self, bytes]:
        """This value with every None filled in, and the bytes of its header."""
        ...


# The layers that a layer stands on, outermost first.
Below = Sequence[Layer]


class Header:
    """What the built-in layers share: checks against field widths, typed change, strict access.

    `BITS` gives the width of every integer field, `ADDRESSES` the type of every address. Of these
    `src` is the address, and `_src` what is held until somebody asks for it: packed bytes.
    `NEXT_FIELD` names the derived field, if any, that says what follows. `RECOMPUTED` lists what
    `Packet.recompute` does anew, None for all derived fields but that one. The draft of a class is
    its unfrozen twin: decoders fill one and then turn it into the frozen class, which costs half of
    what a frozen constructor does.
    """

    __slots__: tuple[str, ...] = ()

    NAME: ClassVar[str]
    KIND: ClassVar[Kind]
    BITS: ClassVar[Mapping[str, int]]
    ADDRESSES: ClassVar[Mapping[str, type[Address]]] = {}
    DERIVED: ClassVar[tuple[str, ...]] = ()
    NEXT_FIELD: ClassVar[str | None] = None
    RECOMPUTED: ClassVar[tuple[str, ...] | None] = None
    TUNNEL: ClassVar[bool] = False
    DRAFT: ClassVar[Any]
    SETTERS: ClassVar[tuple[Any, ...]]
    GETTER: ClassVar[Any]
    _misfit: ClassVar[Any]

    def __post_init__(self) -> None:
        # Refuse integer fields that their width on the wire cannot carry.
        name = self._misfit(self)
        if name:
            raise misfit(self.NAME, name, getattr(self, name), self.BITS[name])

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """The values of the fields that are None, and the bytes of the header; takes the fields of an `Around`."""
        raise NotImplementedError

    def encode(self: _H, around: Around) -> tuple[_H, bytes]:
        """This value with every None filled in, and the bytes of its header."""
        derived, header = self.derive(*around)
        return self._resolved(derived) if derived else self, header

    def require(self, field: str) -> int:
        """The integer *field*, which must not be None: for strict typing of derived fields."""
        value = getattr(self, field)
        if not isinstance(value, int):
            raise FieldError(
                f"{self.NAME}.{field} is {value!r}: resolve the packet first",
                layer=self.NAME, field=field, value=value, bits=self.BITS.get(field),
            )  # fmt: skip
        return value

    def _changed(self: _H, changes: Mapping[str, Any]) -> _H:
        """A copy with *changes*, through the constructor, so that they are checked."""
        fields: dict[str, Any] = dict(zip(self.__slots__, self.GETTER(self), strict=True))
        unknown = changes.keys() - fields.keys()
        if unknown:
            raise TypeError(f"{self.NAME} has no field {', '.join(sorted(unknown))}")
        fields.update(changes)
        return type(self)(**fields)

    def _resolved(self: _H, derived: Mapping[str, Any]) -> _H:
        """A copy with *derived* values."""
        draft: Any = self.DRAFT()
        for copy_field, value in zip(self.SETTERS, self.GETTER(self), strict=True):
            copy_field(draft, value)
        for name, value in derived.items():
            setattr(draft, name, value)
        draft.__class__ = type(self)
        return draft  # type: ignore[no-any-return]

    def _too_big(self, name: str, value: int) -> BuildError:
        """The error for a derived value that its field cannot carry."""
        return BuildError(
            f"{self.NAME}.{name}: {value} does not fit {self.BITS[name]} bits", layer=self.NAME, field=name
        )

    def _checked_next(self, key: int | None) -> int:
        """The key of what follows, for the derived field that names it."""
        field: Any = self.NEXT_FIELD
        if key is None:
            raise BuildError(f"{self.NAME}.{field} cannot be derived: say what follows", layer=self.NAME, field=field)
        if key >> self.BITS[field]:
            raise self._too_big(field, key)
        return key


def drafted(cls: type[_H]) -> type[_H]:
    """Class decorator: give a slotted dataclass its unfrozen twin, and quick access to its fields."""
    cls.DRAFT = type(cls.__name__, cls.__bases__, {"__slots__": cls.__slots__})
    cls.SETTERS = tuple(getattr(cls.DRAFT, name).__set__ for name in cls.__slots__)
    for name, made in cls.ADDRESSES.items():
        slot = cls.__dict__[name]
        setattr(cls, f"_{name}", slot)
        setattr(cls, name, _address(name, slot, made))
    cls.GETTER = _getter(f"_{name}" if name in cls.ADDRESSES else name for name in cls.__slots__)
    cls._misfit = _misfit_finder(cls)
    return cls


def _address(name: str, slot: Any, made: type[Address]) -> property:
    """A field that holds packed bytes in its *slot*, and becomes an address when it is asked for."""
    read, write = attrgetter(f"_{name}"), slot.__set__
    of_number = made is not MACAddress  # which costs `ipaddress` less than bytes

    def get(header: Header) -> Address:
        held: bytes | Address = read(header)
        if type(held) is bytes:
            held = made(_number(held, "big") if of_number else held)
            write(header, held)
        return held  # type: ignore[return-value]

    return property(get, write, doc=f"The field as `{made.__name__}`, made of its bytes when it is first read.")


def _misfit_finder(cls: type[Header]) -> staticmethod[[Header], str | None]:
    """A function from a value to the name of the first integer field that does not fit its bits.

    Compiled from one expression, as dataclasses do it: that costs a third of a loop over the fields.
    """
    terms = []
    for name, bits in cls.BITS.items():
        given = f"header.{name} is not None and " if name in cls.DERIVED else ""
        terms.append(f"{given}(not isinstance(header.{name}, int) or header.{name} >> {bits}) and {name!r}")
    return staticmethod(eval(f"lambda header: {' or '.join(terms)} or None"))


def _getter(names: Iterable[str]) -> staticmethod[[object], tuple[Any, ...]]:
    """A function from a value to the tuple of its attributes *names*, of which there are two or more."""
    return staticmethod(attrgetter(*names))


def thawed(header: Header) -> Any:
    """A header under construction as its unfrozen twin, for its own constructor to fill."""
    object.__setattr__(header, "__class__", header.DRAFT)
    return header


def freeze(draft: Any, cls: type[Header]) -> None:
    """Turn a filled twin into the frozen class, once its fields are checked."""
    draft.__class__ = cls
    Header.__post_init__(draft)


def pseudo_header_below(below: Below, protocol: int, length: int, layer: str) -> int:
    """The sum of the pseudo-header of the nearest IP layer in *below*; `BuildError` if there is none."""
    for under in reversed(below):
        if hasattr(under, "pseudo_header_sum"):
            return under.pseudo_header_sum(protocol, length)  # type: ignore[no-any-return]
    raise BuildError(
        f"{layer}.checksum: there is no IP layer below to take a pseudo-header from", layer=layer, field="checksum"
    )


def scan(kind: Kind, buf: Buffer, start: int, end: int) -> Span | Fault:
    """Have the kernel scan one header: bounds are stated there, once."""
    found = kernel.scan(kind, buf, start, end)
    return found if isinstance(found, Fault) else span_of(found[1:])


def as_mac(layer: str, field: str, value: MACAddress | str | int | bytes) -> MACAddress:
    """*value* as a MAC address; `FieldError` names the field."""
    if isinstance(value, MACAddress):
        return value
    try:
        return MACAddress(value)
    except FieldError:
        raise refused_field(layer, field, value, "a MAC address", 48) from None


def as_ipv4(layer: str, field: str, value: IPv4Address | str | int | bytes) -> IPv4Address:
    """*value* as an IPv4 address; `FieldError` names the field."""
    if isinstance(value, IPv4Address):
        return value
    try:
        return IPv4Address(value)
    except ValueError:
        raise refused_field(layer, field, value, "an IPv4 address", 32) from None


def as_ipv6(layer: str, field: str, value: IPv6Address | str | int | bytes) -> IPv6Address:
    """*value* as an IPv6 address without a zone; `FieldError` names the field."""
    try:
        address = value if isinstance(value, IPv6Address) else IPv6Address(value)
    except ValueError:
        raise refused_field(layer, field, value, "an IPv6 address", 128) from None
    if address.scope_id is not None:
        raise refused_field(layer, field, value, "an IPv6 address without a zone", 128)
    return address


def packed(held: bytes | Address) -> bytes:
    """The bytes of an address, whether somebody asked for it or not."""
    return held if isinstance(held, bytes) else held.packed


def held_mac(layer: str, field: str, value: MACAddress | str | int | bytes) -> MACAddress | bytes:
    """*value* as a field of `ADDRESSES` holds it."""
    return value if type(value) is bytes and len(value) == 6 else as_mac(layer, field, value)


def held_ipv4(layer: str, field: str, value: IPv4Address | str | int | bytes) -> IPv4Address | bytes:
    """*value* as a field of `ADDRESSES` holds it."""
    return value if type(value) is bytes and len(value) == 4 else as_ipv4(layer, field, value)


def held_ipv6(layer: str, field: str, value: IPv6Address | str | int | bytes) -> IPv6Address | bytes:
    """*value* as a field of `ADDRESSES` holds it."""
    return value if type(value) is bytes and len(value) == 16 else as_ipv6(layer, field, value)


def as_bytes(layer: str, field: str, value: bytes | bytearray | memoryview) -> bytes:
    """*value* as bytes; `FieldError` for anything that is not a buffer."""
    if type(value) is bytes:
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    expected = "bytes: build() makes bytes of it" if hasattr(value, "build") else "bytes"
    raise refused_field(layer, field, value, expected)
