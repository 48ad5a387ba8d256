"""Reading and writing `spec.json`.

A specification carries the number of its format; files of format 1 have none. `load_spec` converts
older ones:

    format 1   some keys have other names
    format 2   a detection ends at `off_threshold_ratio` times its threshold
    format 3   a detection ends at a level of its own, `off_threshold`, and gunshots are counted
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from loxo.messages import one_line
from loxo.model_folder.spec import ModelError, ModelSpec
from loxo.settings import explain
from loxo.storage import atomic_write

__all__ = ["FORMAT", "load_spec", "save_spec"]

FORMAT = 3
"""Number of the format that is written."""

_REMEDY = "correct it, or copy the folder again from where it was trained"

_RENAMED_KEYS = {
    "decisions": "post_processing",
    "release": "off_threshold_ratio",
    "every": "decimation",
    "joined": "channels",
    "start": "init_from",
    "average_decay": "ema_decay",
}
"""Keys of format 1, and their names in format 2."""


def load_spec(folder: str | Path) -> ModelSpec:
    """Read `spec.json` of a model folder, of this format or an older one.

    Raises:
        ModelError: if it is missing, not a specification, or of a newer format.
    """
    path = Path(folder) / "spec.json"
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; a model is a folder with model.onnx and spec.json"
        ) from error
    except ValueError as error:
        raise ModelError(f"{path}: not JSON: {one_line(error)}; {_REMEDY}") from error
    if isinstance(content, dict):
        number = content.pop("format", 1)
        if number not in (1, 2, FORMAT):
            raise ModelError(
                f"{path}: format {number!r}, and this version of loxo reads up to {FORMAT};"
                " install a newer loxo"
            )
        if number == 1:
            content = _renamed(content)
        if number in (1, 2):
            content = _of_format_3({"front_end": {}} | content)
    try:
        return TypeAdapter(ModelSpec).validate_python(content, extra="forbid")
    except ValidationError as error:
        raise ModelError(f"{path}: {explain(error, settings=ModelSpec)}; {_REMEDY}") from error


def _renamed(part: Any) -> Any:
    """Convert a part of a specification of format 1 to format 2."""
    if isinstance(part, list):
        return [_renamed(each) for each in part]
    if not isinstance(part, dict):
        return part
    known: dict[str, Any] = part
    renamed: dict[str, Any] = {}
    for key, value in known.items():
        if key == "channels" and isinstance(value, list):
            # Format 2 has one number there, which was called `joined`.
            renamed["stem_channels"] = value
        elif key == "flat" and isinstance(value, int | float):
            # The share of a window that is not tapered became the share that is.
            renamed["tukey_taper"] = 1 - value
        else:
            renamed[_RENAMED_KEYS.get(key, key)] = _renamed(value)
    return renamed


def _of_format_3(part: Any) -> Any:
    """Convert a part of a specification of format 2 to format 3."""
    if isinstance(part, list):
        return [_of_format_3(each) for each in part]
    if not isinstance(part, dict):
        return part
    converted = {key: _of_format_3(value) for key, value in part.items()}
    threshold = part.get("threshold")
    if "off_threshold_ratio" in part and isinstance(threshold, int | float):
        ratio = converted.pop("off_threshold_ratio")
        # 12 digits: 0.2 times 0.7 is 0.14, not 0.13999999999999999.
        converted["off_threshold"] = round(ratio * threshold, 12)
    gunshots = converted.get("Gunshot")
    if isinstance(gunshots, dict) and "off_threshold" in gunshots:
        gunshots["count"] = True
    front_end = converted.get("front_end")
    if isinstance(front_end, dict):
        front_end.setdefault("floor_quantile", None)  # the floor was a mean
    return converted


def save_spec(spec: ModelSpec, folder: str | Path) -> None:
    """Write `spec.json` into a model folder."""
    content = {"format": FORMAT} | asdict(spec)
    with atomic_write(Path(folder) / "spec.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
