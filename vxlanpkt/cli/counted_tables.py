"""Verbs that count captures into a table and list its rows: their options, and what is done with these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, TypeVar

from vxlanpkt.analysis import PartialTableError
from vxlanpkt.analysis.tables import Table
from vxlanpkt.cli.listings import (
    listing_options,
    print_rows_as_csv,
    print_rows_as_json,
    refuse_two_formats,
    shown_rows,
    summary,
)
from vxlanpkt.cli.options import (
    filter_option,
    jobs_option,
    policy_of,
    policy_options,
    port_option,
    several_read_option,
    vni_option,
)
from vxlanpkt.cli.progress import progress_bar
from vxlanpkt.filters import Filter
from vxlanpkt.policy import DecapPolicy

_T = TypeVar("_T", bound="Table[Any]")


@dataclass(frozen=True)
class Asked:
    """What such a verb was asked: what is read, what is chosen of it, and how it is shown."""

    source: str | tuple[str, ...]
    ports: tuple[int, ...]
    vnis: tuple[int, ...]
    chosen: Filter | None
    policy: DecapPolicy
    count: int | None
    by: str
    as_json: bool
    as_csv: bool
    jobs: int

    def show(self, name: str, made: Callable[..., _T], print_for_people: Callable[[_T, _T], None], **more: Any) -> None:
        """Count, then print: a table that *made* makes, and the rows of it that are shown.

        Of a broken file what was counted is printed before the error is raised.
        """
        table, fault = self._counted(made, more)
        shown = shown_rows(table, self.count, self.by, self.as_json or self.as_csv)
        if self.as_json:
            print_rows_as_json(name, table, shown, fault)
        elif self.as_csv:
            print_rows_as_csv(shown)
        else:
            print_for_people(table, shown)
        if fault is not None:
            raise fault

    def _counted(self, made: Callable[..., _T], more: dict[str, Any]) -> tuple[_T, PartialTableError | None]:
        chosen: dict[str, Any] = {"policy": self.policy, "vni": self.vnis or None, "filter": self.chosen}
        with progress_bar("counting") as report:
            try:
                return made(self.source, **chosen, progress=report, jobs=self.jobs, **more), None
            except PartialTableError as error:
                return error.result, error

    def summary(self, what: str, table: Table[Any]) -> str:
        """How many rows of how many packets, what was chosen, and out of how many records."""
        return summary(what, table, self.vnis, self.chosen)


def lists_a_table(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options of all of these; it is called with `Asked`, and with options of its own by name."""

    @wraps(command)
    def called(*, as_json: bool, as_csv: bool, **options: Any) -> None:
        refuse_two_formats(as_json, as_csv)
        policy = {name: options.pop(name) for name in ("policy_name", "gbp", "gpe", "lengths")}
        options["policy"] = policy_of(ports=options["ports"], **policy)
        asked = {field.name: options.pop(field.name) for field in fields(Asked) if field.name in options}
        command(Asked(as_json=as_json, as_csv=as_csv, **asked), **options)

    for option in (
        jobs_option, listing_options, filter_option, policy_options, vni_option, port_option, several_read_option,
    ):  # fmt: skip
        called = option(called)
    return called
