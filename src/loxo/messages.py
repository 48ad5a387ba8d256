"""Messages for users: progress of long work, counts in words, and errors on one line.

Functions that take long report to a `Progress`. The base class ignores all reports and is the
default. The command line passes a subclass that draws a progress bar.
"""

from __future__ import annotations

__all__ = ["SILENT", "Progress", "one_line", "pluralize"]


class Progress:
    """Receives reports of long work, possibly from several threads; this one ignores them."""

    def update(self, task: str, done: float, total: float | None = None) -> None:
        """Report that `done` of `total` units of a task are finished.

        Args:
            task: name of the counted units, such as `recordings` or `clips`, the same each time.
            total: None where the total is not known.
        """

    def message(self, line: str) -> None:
        """Show a line to the user, such as a file that was skipped and why."""


SILENT = Progress()
"""The default: a `Progress` that ignores all reports."""


def one_line(error: object) -> str:
    """The text of an error on one line.

    >>> one_line(ValueError("two\\n  lines"))
    'two lines'
    """
    return " ".join(str(error).split())


def pluralize(count: int, noun: str) -> str:
    """A count with its noun.

    >>> pluralize(1, "clip"), pluralize(1200, "clip")
    ('1 clip', '1,200 clips')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
