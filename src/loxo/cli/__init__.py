"""The command line: `loxo COMMAND`.

Each command reads its options, calls the package, and prints.

Exit status:

      0  done
      1  nothing could be done
      2  wrong usage
      3  done, but some inputs were skipped, and `--strict` was given
    130  interrupted (SIGINT, Ctrl-C)
    143  terminated (SIGTERM)

An error is one line on standard error, never a traceback. Modules are imported when their command
runs, so that `loxo --help` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from loxo.cli.calibrate import calibrate
from loxo.cli.detect import detect
from loxo.cli.evaluate import evaluate
from loxo.cli.models import models
from loxo.cli.prepare import prepare
from loxo.cli.shared import NothingDoneError, SkippedError, TerminatedError
from loxo.cli.simulate import simulate
from loxo.cli.train import export, train
from loxo.messages import one_line

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["app", "main"]

app = typer.Typer(
    help="Finds forest-elephant rumbles and gunshots in long recordings.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
INTERRUPTED = 130
RESUME = "finished work is kept; run the same command again to continue"


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        print(f"loxo {metadata.version('loxo')}")
        raise typer.Exit


app.add_typer(prepare, name="prepare")
for command in (detect, evaluate, calibrate, simulate, train, export, models):
    app.command()(command)


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Find forest-elephant rumbles and gunshots in long recordings."""


def main() -> None:
    """Run a command, and turn errors into one line and an exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status = app(standalone_mode=False)
    except TyperException as error:
        _fail(error.format_message(), 2)
    except ValueError as error:
        _fail(error, 2)
    except (OSError, NothingDoneError) as error:
        _fail(error, 1)
    except SkippedError as error:
        _fail(error, 3)
    except TerminatedError:
        _fail(f"terminated (SIGTERM); {RESUME}", 143)
    except Exception as error:
        # Users get a line and a way to report it, never a traceback.
        if os.environ.get("LOXO_DEBUG"):
            raise
        _fail(
            f"a fault in loxo itself: {type(error).__name__}: {error}; please report it with what "
            "LOXO_DEBUG=1 shows",
            1,
        )
    else:
        if status == INTERRUPTED:  # Typer turns KeyboardInterrupt into this value
            _fail(f"interrupted; {RESUME}", INTERRUPTED)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise TerminatedError


def _fail(error: object, status: int) -> None:
    print(f"loxo: {one_line(error)}", file=sys.stderr)
    raise SystemExit(status)
