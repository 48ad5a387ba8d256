"""New names for the labels of a user's tables, such as `tir` -> `Gunshot`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from loxo.annotations.dialects import canonical_label
from loxo.annotations.tables import decode_text
from loxo.messages import one_line

__all__ = ["read_label_map", "renamed_label"]

_HEADERS = ({"from", "to"}, {"label", "name"}, {"old", "new"})


def read_label_map(texts: Sequence[str]) -> dict[str, str]:
    """Read which labels are to be renamed.

    Args:
        texts: each either `OLD=NEW`, such as `tir=Gunshot`, or the path of a file: a YAML mapping
            (`.yaml`, `.yml`), a table of two columns, separated by commas or tabs, or lines
            `OLD=NEW`.

    Returns:
        New label by the old one in lower case.

    Raises:
        ValueError: if a text is neither, or a label is empty or gets two names.
        OSError: if a file cannot be read.
    """
    labels: dict[str, str] = {}
    for text in texts:
        for old, new in _pairs(text):
            if not old or not new:
                raise ValueError(f"{text}: {old!r} -> {new!r}: a label is empty; give OLD=NEW")
            known = labels.setdefault(old.casefold(), canonical_label(new))
            if known != canonical_label(new):
                raise ValueError(f"{text}: {old} is renamed to both {known} and {new}; keep one")
    return labels


def renamed_label(label: str, labels: Mapping[str, str]) -> str:
    """Rename a label by a map with lower-case keys; else give it the package's spelling.

    >>> renamed_label("Tir", {"tir": "Gunshot"}), renamed_label("shot", {"tir": "Gunshot"})
    ('Gunshot', 'Gunshot')
    """
    canonical = canonical_label(label)
    return labels.get(label.casefold(), labels.get(canonical.casefold(), canonical))


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    path = Path(text)
    if path.is_file():
        content = decode_text(path.read_bytes())
        is_yaml = path.suffix.lower() in {".yaml", ".yml"}
        return _yaml_pairs(text, content) if is_yaml else _table_pairs(text, content)
    old, equals, new = text.partition("=")
    if not equals:
        raise ValueError(f"{text}: no such file, and not OLD=NEW, such as tir=Gunshot")
    return [(old.strip(), new.strip())]


def _yaml_pairs(name: str, content: str) -> Iterable[tuple[str, str]]:
    try:
        labels = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ValueError(f"{name}: not YAML ({one_line(error)})") from error
    if not isinstance(labels, dict) or any(isinstance(new, dict | list) for new in labels.values()):
        raise ValueError(f"{name}: a mapping of labels is expected, a line each: OLD: NEW")
    return [(str(old).strip(), str(new).strip()) for old, new in labels.items()]


def _table_pairs(name: str, content: str) -> Iterable[tuple[str, str]]:
    tabbed = "\t" in content.partition("\n")[0]
    try:
        rows = list(csv.reader(io.StringIO(content), delimiter="\t" if tabbed else ","))
    except csv.Error as error:
        raise ValueError(f"{name}: not a table ({one_line(error)})") from error
    pairs: list[tuple[str, str]] = []
    for line, cells in enumerate(rows, start=1):
        pair = cells[0].split("=") if len(cells) == 1 else cells
        texts = [cell.strip() for cell in pair]
        if not any(texts) or (line == 1 and {text.casefold() for text in texts} in _HEADERS):
            continue
        if len(texts) != 2:
            raise ValueError(
                f"{name}, row {line}: {len(texts)} cells; two are expected: the label in the "
                "tables and its new name"
            )
        pairs.append((texts[0], texts[1]))
    return pairs
