"""What commands share: the error of a command that could do nothing, the progress bar, and options of more than one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.progress import Progress

__all__ = ["NothingDoneError", "progress_bar", "zone"]


class NothingDoneError(Exception):
    """The command could do nothing; the message says why."""


def zone(name: str | None) -> ZoneInfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise typer.BadParameter(f"--timezone {name}: no such zone; write it as in Africa/Brazzaville") from error


def progress_bar() -> Progress:
    """A bar with what is done, the time left, and nothing at all when nobody watches."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RealTimeColumn(ProgressColumn):
        """Seconds of audio a second, for the tasks that count seconds of audio."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f} x real time" if task.speed and task.fields.get("audio") else "")

    console = Console(soft_wrap=True)
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), RealTimeColumn()),
        *(TimeElapsedColumn(), TimeRemainingColumn()),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
