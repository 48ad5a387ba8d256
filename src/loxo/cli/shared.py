"""Shared parts of the commands: errors with an exit status, options, and the progress bar."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Self

import typer

from loxo.messages import Progress

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = [
    "ConsoleProgress",
    "LabelMap",
    "NothingDoneError",
    "RowLabel",
    "SkippedError",
    "TerminatedError",
    "by_label",
    "local_path",
    "zone",
]

RowLabel = Annotated[
    str | None,
    typer.Option(help="Label of table rows that have none of their own, e.g. Rumble."),
]
LabelMap = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="Read a label of the tables as another one, e.g. tir=Gunshot, or a file of such "
        "pairs; may be repeated.",
    ),
]

AUDIO = "(s of audio)"
"""End of the name of a task that counts seconds of audio."""
EVERY_S = 30.0
"""Seconds between two lines of progress about one task where there is no terminal."""


class NothingDoneError(Exception):
    """The command could do nothing, with exit status 1; the message gives the reason."""


class SkippedError(Exception):
    """The command skipped inputs although `--strict` was given, with exit status 3."""


class TerminatedError(BaseException):
    """The process was terminated (SIGTERM), with exit status 143."""


def local_path(text: str, option: str) -> Path:
    """Check that a text is a path on this machine, not an address.

    Raises:
        typer.BadParameter: if it is an address, such as s3://bucket/prefix.
    """
    if "://" in text:
        raise typer.BadParameter(
            f"{option} {text}: `loxo detect` reads files and folders of this machine only; "
            "copy the recordings here, or mount them"
        )
    return Path(text)


def zone(name: str | None) -> ZoneInfo | None:
    """The time zone that `--timezone` names; None if it is not given.

    Raises:
        typer.BadParameter: if there is no such zone.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:  # `Africa` is a folder
        raise typer.BadParameter(
            f"--timezone {name}: no such zone; write it as in Africa/Brazzaville, or as Etc/GMT-1 "
            "for clocks that are one hour ahead of UTC"
        ) from error


def by_label(
    texts: list[str] | None, option: str, labels: tuple[str, ...], example: str
) -> dict[str, float]:
    """Parse an option given as LABEL=X into numbers by label.

    Raises:
        typer.BadParameter: if a label is unknown, or a value is not a finite number.
    """
    numbers = {}
    for text in texts or []:
        label, _, value = text.rpartition("=")
        if label not in labels:
            raise typer.BadParameter(
                f"{option} {text}: the label is not one of {', '.join(labels)}; write it as in "
                f"{example}"
            )
        try:
            numbers[label] = float(value)
        except ValueError:
            numbers[label] = math.nan
        if not math.isfinite(numbers[label]):
            raise typer.BadParameter(
                f"{option} {text}: {value!r} is not a finite number; write it as in {example}"
            )
    return numbers


class ConsoleProgress(Progress):
    """Draws a bar for each task on a terminal, and writes a line now and then elsewhere.

    A task whose name ends in `(s of audio)` counts seconds of audio, and its rate is shown as a
    multiple of real time. Use it as a context manager; threads may share it.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(soft_wrap=True)
        self._bar = _bar(self.console)
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, task: str, done: float, total: float | None = None) -> None:
        if not self.console.is_terminal:
            self._tell(task, done, total)
            return
        with self._lock:
            if task not in self._tasks:
                audio = task.endswith(AUDIO)
                self._tasks[task] = self._bar.add_task(task, total=total, audio=audio)
        self._bar.update(self._tasks[task], completed=done, total=total)

    def _tell(self, task: str, done: float, total: float | None) -> None:
        """Write a line, at most one in `EVERY_S` for each task."""
        now = time.monotonic()
        with self._lock:
            if now - self._told.setdefault(task, now) < EVERY_S:
                return
            self._told[task] = now
        of = "" if total is None else f" of {total:,.0f}"
        print(f"{task}: {done:,.0f}{of}", file=sys.stderr)

    def message(self, line: str) -> None:
        """Print a line above the bars as it is: file names must not be read as markup."""
        self.console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _bar(console: Console) -> RichProgress:
    from rich.progress import (
        BarColumn,
        ProgressColumn,
        Task,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Shows steps a second, or multiples of real time for seconds of audio."""

        def render(self, task: Task) -> Text:
            if not task.speed:
                return Text("")
            if task.fields.get("audio"):
                return Text(f"{task.speed:,.0f} x real time")
            return Text(f"{task.speed:,.1f} / s")

    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
