"""Plan a run from a listing alone: its recordings, their outputs and their sites.

Recordings are identified by their path below the **root** of the run. Outputs mirror that path, so
no two recordings share one:

    ROOT/siteA/20210722_005941.WAV  ->  OUT/siteA/20210722_005941.selections.txt

An output folder belongs to one root. With two roots, `a/x.wav` of the one and `a/x.wav` of the
other would overwrite each other's tables.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from loxo.recordings import (
    SUFFIXES,
    SiteRule,
    base_name,
    common_root,
    output_names,
    parse_name,
    path_below,
)

__all__ = ["PlannedRecording", "absolute_path", "check_root", "plan_recordings", "run_root"]


@dataclass(frozen=True, slots=True)
class PlannedRecording:
    """A recording and the names of its outputs.

    Args:
        address: path of the recording as the user or the listing gave it.
        path: its path below the root of the run, with `/`.
        name: path of its outputs below the output folder, without an ending.
        site: None if it is unknown.
        start_time: start with its time zone; None if it is unknown.
    """

    address: str
    path: str
    name: str
    site: str | None = None
    start_time: datetime | None = None


def run_root(inputs: Sequence[str], root: str | None = None) -> str:
    """The folder that paths of recordings are relative to, as an absolute path.

    It is `root` if that is given, else the folder that is the only input, else the deepest folder
    that holds all inputs. It is empty if they share none, such as two drives of Windows.
    """
    if root is not None:
        return absolute_path(root)
    # The folder of a file in a folder is that folder itself.
    return common_root(
        f"{absolute_path(each)}/_" if _is_folder(each) else absolute_path(each) for each in inputs
    )


def _is_folder(path: str) -> bool:
    """Whether a path is a folder, or was one: results may outlive the recordings."""
    there = Path(path)
    return there.is_dir() or (not there.exists() and there.suffix.lower() not in SUFFIXES)


def check_root(root: str, stored: str | None, output: Path) -> None:
    """Check that an output folder does not hold the run of another root.

    Args:
        stored: root of the run that the folder holds; None if it holds none.

    Raises:
        ValueError: if the roots differ.
    """
    if stored is not None and stored != root:
        raise ValueError(
            f"{output}: holds the results of recordings below {stored or 'several drives'}, these "
            f"are below {root or 'several drives'}; take another --output, or give --root {stored}"
            " if these recordings lie in it"
        )


def plan_recordings(
    addresses: Iterable[str],
    root: str,
    *,
    sites: SiteRule | None = None,
    timezone: ZoneInfo | None = None,
    known: Iterable[str] = (),
) -> list[PlannedRecording]:
    """Name the outputs and the site of each recording.

    Args:
        addresses: paths of the recordings, in the order in which they are worked on.
        root: see `run_root`.
        sites: how sites are found; None takes `site_of`.
        timezone: of the times in file names; None leaves them unknown unless the name has a zone.
        known: paths below the root of recordings that the output folder has results of. Their
            outputs keep apart from those of new recordings.

    Raises:
        ValueError: if a recording does not lie below the root, or the user's rule gives no sites.
    """
    absolute = {address: absolute_path(address) for address in addresses}
    for address, path in absolute.items():
        if root and path != root and not path.startswith(root.rstrip("/") + "/"):
            raise ValueError(f"{address}: does not lie below the root {root}; give another --root")
    before = [f"{root.rstrip('/')}/{path}" for path in known]
    names = output_names([*absolute.values(), *before], root)
    site_of_path = (sites or SiteRule()).sites(absolute.values(), root)
    return [
        PlannedRecording(
            address,
            path_below(path, root) or base_name(path),  # a folder that is gone stands for itself
            names[path] or base_name(path),
            site_of_path[path],
            parse_name(base_name(path), timezone)[1],
        )
        for address, path in absolute.items()
    ]


def absolute_path(path: str) -> str:
    """A path from the root of its drive, without `..` and with `/`."""
    # `Path.resolve` would follow links, and recordings that are linked into a folder belong to it.
    return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100
