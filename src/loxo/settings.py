"""Settings from YAML files and from `key=value`, checked, with errors on one line.

A settings class (pydantic model or dataclass) declares keys, types, defaults and limits. A file
gives what differs from the defaults, and `key=value` changes it for one run:

    content = merge(read_yaml(path), parse_change("data.window_s=20"))
    settings = validate(TrainingConfig, content, str(path))

Every mistake raises a `SettingsError` with the file or option, the key and what was expected. For a
mistyped key it suggests the nearest known one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_type_hints

from loxo.messages import one_line

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = [
    "SettingsError",
    "explain",
    "merge",
    "nearest",
    "parse_change",
    "read_yaml",
    "validate",
]

_Settings = TypeVar("_Settings")

_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}
_WITHOUT_VALUE = {"missing", "value_error", "json_invalid"}
"""Kinds of errors with a complete text; the others are followed by the value."""


class SettingsError(ValueError):
    """Settings that cannot be used; one line with the file, the key and what was expected."""


def read_yaml(path: Path, example: str = "configs/tcn.yaml") -> dict[str, Any]:
    """Read a YAML file of keys and values; an empty file gives none.

    Args:
        example: path of a valid file, which error messages name.

    Raises:
        SettingsError: if it is missing, not YAML, or not keys with values.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path}: {error.strerror}; give the path of a configuration file like {example}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML: {one_line(error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: keys with values are expected, one `key: value` a line")
    return {str(key): value for key, value in content.items()}


def parse_change(text: str, example: str = "epochs=3") -> dict[str, Any]:
    """Parse `key=value` as a file with that key: dots separate levels, the value is YAML.

    >>> parse_change("data.window_s=20")
    {'data': {'window_s': 20}}

    Args:
        example: a valid change, which error messages name.

    Raises:
        SettingsError: if it has no `=`, no key, or its value is not YAML.
    """
    import yaml

    key, separator, written = text.partition("=")
    if not separator or not key.strip():
        raise SettingsError(f"--set {text}: write key=value, for example {example}")
    try:
        value = yaml.safe_load(written)
    except yaml.YAMLError as error:
        raise SettingsError(f"--set {text}: the value is not YAML: {one_line(error)}") from error
    for part in reversed(key.strip().split(".")):
        value = {part: value}
    return cast("dict[str, Any]", value)


def merge(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Copy settings with some of them changed; levels that both have are merged.

    >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    merged = dict(content)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old or {}, value) if both else value
    return merged


def validate(settings: type[_Settings], content: Mapping[str, Any], *where: str) -> _Settings:
    """Make a settings object from keys and values; an unknown key is an error.

    Args:
        settings: a pydantic model or a dataclass.
        where: what an error names in front of the key, such as the file.

    Raises:
        SettingsError: if a key is unknown or missing, or a value is impossible.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(settings).validate_python(dict(content), extra="forbid")
    except ValidationError as error:
        raise SettingsError(": ".join([*where, explain(error, settings=settings)])) from error


def explain(error: ValidationError, *above: str, settings: object = None) -> str:
    """Describe the first error on one line: key, what was expected, value.

    Args:
        above: keys above those of the error.
        settings: the validated class; its keys are suggested in place of an unknown one.
    """
    first = error.errors(include_url=False)[0]
    key = ".".join([*above, *map(str, first["loc"])])
    message = one_line(_message(first, settings))
    return f"{key}: {message}" if key else message


def _message(error: Mapping[str, Any], settings: object) -> str:
    if error["type"] in _UNKNOWN_KEY:
        *levels, key = error["loc"]
        return f"no such key{nearest(str(key), _keys(settings, levels))}"
    text = error["msg"].removeprefix("Value error, ")
    return text if error["type"] in _WITHOUT_VALUE else f"{text}, not {error['input']!r}"


def nearest(key: str, known: Iterable[str]) -> str:
    """End of an error about an unknown key: the nearest known one, or all if none is near.

    >>> nearest("epocs", ["epochs", "seed"])
    '; did you mean epochs?'
    """
    keys = sorted(known)
    near = difflib.get_close_matches(key, keys, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(keys)}" if keys else ""


def _keys(settings: object, levels: Sequence[int | str]) -> list[str]:
    """Keys of a nested settings class, which is found by the keys above it; none if unknown."""
    for level in levels:
        settings = _settings_class(_hints(settings).get(str(level)))
    return list(_hints(settings))


def _settings_class(hint: object) -> object:
    """The settings class that a type hint such as `Settings | None` holds."""
    candidates = [hint, *get_args(hint)]
    return next((each for each in candidates if _hints(each)), None)


def _hints(settings: object) -> dict[str, Any]:
    """Type hints of the fields of a pydantic model or a dataclass; empty for anything else."""
    if not isinstance(settings, type):
        return {}
    if is_dataclass(settings):
        names = {field.name for field in fields(settings) if field.init}
    else:
        names = set(getattr(settings, "model_fields", ()))
    return {name: hint for name, hint in get_type_hints(settings).items() if name in names}
