"""Reading and writing `spec.json`.

A specification carries the number of its format. Files of format 1 have none; `load_spec` converts
their keys.
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

FORMAT = 2
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
        if number not in (1, FORMAT):
            raise ModelError(
                f"{path}: format {number!r}, and this version of loxo reads up to {FORMAT};"
                " install a newer loxo"
            )
        if number == 1:
            content = _upgraded(content)
    try:
        return TypeAdapter(ModelSpec).validate_python(content, extra="forbid")
    except ValidationError as error:
        raise ModelError(f"{path}: {explain(error, settings=ModelSpec)}; {_REMEDY}") from error


def _upgraded(part: Any) -> Any:
    """Convert a part of a specification of format 1 to format 2."""
    if isinstance(part, list):
        return [_upgraded(each) for each in part]
    if not isinstance(part, dict):
        return part
    known: dict[str, Any] = part
    upgraded: dict[str, Any] = {}
    for key, value in known.items():
        if key == "channels" and isinstance(value, list):
            # Format 2 has one number there, which was called `joined`.
            upgraded["stem_channels"] = value
        elif key == "flat" and isinstance(value, int | float):
            # The share of a window that is not tapered became the share that is.
            upgraded["tukey_taper"] = 1 - value
        else:
            upgraded[_RENAMED_KEYS.get(key, key)] = _upgraded(value)
    return upgraded


def save_spec(spec: ModelSpec, folder: str | Path) -> None:
    """Write `spec.json` into a model folder."""
    content = {"format": FORMAT} | asdict(spec)
    with atomic_write(Path(folder) / "spec.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
