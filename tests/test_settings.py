"""Settings: files, `key=value`, and errors of one line that name the key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from loxo.settings import SettingsError, merge, nearest, parse_change, read_yaml, validate


@dataclass(frozen=True)
class Optimiser:
    learning_rate: float = 1e-3
    weight_decay: float = 0.0


class Data(BaseModel):
    window_s: float = Field(default=30.0, gt=0)
    optimiser: Optimiser | None = None


class Whole(BaseModel):
    epochs: int = 10
    data: Data = Data()


def test_a_file_and_changes_give_settings(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("epochs: 3\ndata:\n  window_s: 10\n")
    content = merge(read_yaml(path), parse_change("data.optimiser.learning_rate=0.5"))
    settings = validate(Whole, content, str(path))
    assert (settings.epochs, settings.data.window_s) == (3, 10.0)
    assert settings.data.optimiser == Optimiser(0.5)
    path.write_text("# nothing\n")
    assert read_yaml(path) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"epocs": 3}, "x.yaml: epocs: no such key; did you mean epochs?"),
        ({"data": {"windw_s": 3}}, "x.yaml: data.windw_s: no such key; did you mean window_s?"),
        (
            {"data": {"optimiser": {"learning_rat": 3}}},
            "x.yaml: data.optimiser.learning_rat: no such key; did you mean learning_rate?",
        ),
        ({"zzz": 1}, "x.yaml: zzz: no such key; there are data, epochs"),
        (
            {"data": {"window_s": -1}},
            "x.yaml: data.window_s: Input should be greater than 0, not -1",
        ),
    ],
)
def test_an_error_is_one_line_with_the_key_and_the_nearest_one(
    content: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError) as error:
        validate(Whole, content, "x.yaml")
    assert str(error.value) == said


@pytest.mark.parametrize("text", ["epochs", "=3", "epochs=[1"])
def test_a_change_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_change(text)
    assert str(error.value).startswith(f"--set {text}: ")
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_something_else_is_refused(tmp_path: Path) -> None:
    for content in (None, b"\xff\xfe\x00", b"- a\n- b\n", b"a: [1\n"):
        path = tmp_path / "x.yaml"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SettingsError, match=r"x\.yaml") as error:
            read_yaml(path)
        assert "\n" not in str(error.value)


def test_merging_changes_neither_of_the_two() -> None:
    one, other = {"a": {"b": 1}}, {"a": {"c": 2}, "d": {"e": 3}}
    assert merge(one, other) == {"a": {"b": 1, "c": 2}, "d": {"e": 3}}
    assert (one, other) == ({"a": {"b": 1}}, {"a": {"c": 2}, "d": {"e": 3}})
    assert merge({"a": 1}, {"a": {"b": 1}}) == {"a": {"b": 1}}


def test_what_is_near_to_nothing_names_all_there_is() -> None:
    assert nearest("x", []) == ""
    assert nearest("x", ["b", "a"]) == "; there are a, b"
