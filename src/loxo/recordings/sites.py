"""Sites of recordings by the user's own rule: a level of folders, or a table.

Without a rule a site is what the file name says, else the folder that holds the recording
(`site_of`).
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loxo.messages import one_line
from loxo.recordings.matching import Tail, agree, tail
from loxo.recordings.names import path_below, path_parts, site_of

__all__ = ["SiteRule", "read_site_rule"]


@dataclass(frozen=True, slots=True)
class SiteRule:
    """How the site of a recording is found.

    Args:
        level: the level of folders below the root that is the site: 1 is the first, -1 the folder
            that holds the recording. None takes `recordings` and `folders`, or, if both are empty,
            `site_of`.
        recordings: site by the path of a recording.
        folders: site by the path of a folder. The innermost folder around a recording counts.
    """

    level: int | None = None
    recordings: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    _by_stem: dict[str, list[tuple[Tail, str]]] = field(init=False, repr=False, compare=False)
    _by_folder: dict[str, list[tuple[Tail, str]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Tables have a row for each of many recordings: they are found by their stem.
        object.__setattr__(self, "_by_stem", _sites_by_last_part(self.recordings))
        object.__setattr__(self, "_by_folder", _sites_by_last_part(self.folders))

    def site(self, path: str, root: str = "") -> str | None:
        """Find the site of a recording; None if this rule gives none.

        Args:
            path: path or address of the recording.
            root: folder that holds all recordings; levels are counted below it.
        """
        if self.level is not None:
            return _folder_at(path_below(path, root), self.level)
        if not (self.recordings or self.folders):
            return site_of(path)
        # Folders above the root differ between machines, so what lies below it is compared first.
        wholes = dict.fromkeys((path_below(path, root), path))
        sites = (self._of_recording(whole) or self._of_folder(whole) for whole in wholes)
        return next(filter(None, sites), None)

    def sites(self, paths: Iterable[str], root: str = "") -> dict[str, str | None]:
        """Find the site of each recording; arguments as `site`.

        Raises:
            ValueError: if the user's own rule gives no recording a site.
        """
        found = {path: self.site(path, root) for path in paths}
        own = self.level is not None or self.recordings or self.folders
        if own and found and not any(found.values()):
            raise ValueError(
                f"--site-from: no recording gets a site, such as {min(found)}; give a level of "
                f"folders that there is below {root or 'the root'}, or a table that names them"
            )
        return found

    def _of_recording(self, path: str) -> str | None:
        return _nearest_site(self._by_stem, path)

    def _of_folder(self, path: str) -> str | None:
        *folders, _ = path_parts(path) or ("",)
        inner = ("/".join(folders[:depth]) for depth in range(len(folders), 0, -1))
        sites = (_nearest_site(self._by_folder, folder) for folder in inner)
        return next(filter(None, sites), None)


def _folder_at(path: str, level: int) -> str | None:
    """Folder at a level of a path, counted from 1, or from -1 at the end."""
    *folders, _ = path_parts(path) or ("",)
    place = level - 1 if level > 0 else level
    return folders[place] if -len(folders) <= place < len(folders) else None


def _sites_by_last_part(sites: Mapping[str, str]) -> dict[str, list[tuple[Tail, str]]]:
    found: defaultdict[str, list[tuple[Tail, str]]] = defaultdict(list)
    for path, site in sites.items():
        found[tail(path)[0]].append((tail(path), site))
    return found


def _nearest_site(sites: Mapping[str, list[tuple[Tail, str]]], path: str) -> str | None:
    """Site of the longest path that agrees with another; None if there is none, or several."""
    wanted = tail(path)
    agreeing = [
        (len(known), site) for known, site in sites.get(wanted[0], ()) if agree(known, wanted)
    ]
    longest = max((length for length, _ in agreeing), default=0)
    nearest = {site for length, site in agreeing if length == longest}
    return nearest.pop() if len(nearest) == 1 else None


def read_site_rule(text: str | None) -> SiteRule:
    """Read the rule that `--site-from` names: a level of folders, or a table.

    Args:
        text: a whole number except 0, or the path of a table (commas or tabs) with the columns
            `recording,site` or `folder,site`. None means `site_of`.

    Raises:
        ValueError: if it is neither, the table lacks a column, or a path has two sites.
    """
    if text is None:
        return SiteRule()
    if re.fullmatch(r"[+-]?[0-9]+", text):
        if int(text) == 0:
            raise ValueError(
                "--site-from 0: there is no such level; 1 is the first folder below the root, "
                "-1 the folder that holds the recording"
            )
        return SiteRule(level=int(text))
    return _read_site_table(Path(text))


def _read_site_table(path: Path) -> SiteRule:
    try:
        content = path.read_text(encoding="utf-8-sig")
        tabbed = "\t" in content.partition("\n")[0]
        rows = list(csv.reader(io.StringIO(content), delimiter="\t" if tabbed else ","))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"--site-from {path}: neither a level of folders, such as 1 or -1, nor a table that "
            f"can be read ({one_line(error)})"
        ) from error
    header = [name.strip().casefold() for name in rows[0]] if rows else []
    kind = next((kind for kind in ("recording", "folder") if kind in header), None)
    if kind is None or "site" not in header:
        raise ValueError(
            f"{path}: its columns are {','.join(header)}; recording,site or folder,site are needed"
        )
    sites: dict[str, str] = {}
    for cells in rows[1:]:
        row = dict(zip(header, map(str.strip, cells), strict=False))
        name, site = row.get(kind, ""), row.get("site", "")
        if name and site and sites.setdefault(name, site) != site:
            raise ValueError(f"{path}: {name} has two sites, {sites[name]} and {site}; keep one")
    return SiteRule(recordings=sites) if kind == "recording" else SiteRule(folders=sites)
