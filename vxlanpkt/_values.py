"""Values: what frozen dataclasses are, which take longer to load, and to be given methods, than most else here."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_):
        """For type checkers, which take these classes for dataclasses: their fields are read-only."""
        return lambda cls: cls


class Fields:
    """Equal to what is of the same class and has equal fields, and shown with them: `__match_args__` names them."""

    __slots__ = ()
    if TYPE_CHECKING:
        __match_args__: ClassVar[tuple[str, ...]]
        _values: ClassVar[Any]  # from an object to what its fields hold
    else:  # without annotations, which would be taken for those of fields
        __match_args__ = ()

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.__match_args__:
            cls._values = staticmethod(attrgetter(*cls.__match_args__))

    def __eq__(self, other: object) -> bool:
        return self._values(self) == self._values(other) if type(other) is type(self) else NotImplemented

    def __repr__(self) -> str:
        said = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__match_args__])
        return f"{type(self).__qualname__}({said})"

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__match_args__}

    def __replace__(self, /, **changes: Any) -> Self:
        """A copy with *changes*, through the constructor: what `copy.replace` calls, which Python has from 3.13 on."""
        return type(self)(**{**self._fields(), **changes})


@dataclass_transform(frozen_default=True)
class Value(Fields):
    """Fields that do not change once a constructor has set them, by `object.__setattr__`, and are hashed for that.

    What a class that is derived from a value's has beside them may be set.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(self._values(self))

    def __setattr__(self, name: str, value: object) -> None:
        self._require_own(name)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        self._require_own(name)
        object.__delattr__(self, name)

    def _require_own(self, name: str) -> None:
        """Refuse all names of a value's own class, and its fields in those that are derived from it."""
        if "__match_args__" in vars(type(self)) or name in self.__match_args__:
            from dataclasses import FrozenInstanceError  # which is how people know it

            raise FrozenInstanceError(f"cannot change field {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone, to be pickled and copied: what else an object keeps is made anew from them."""
        return self._fields()

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
