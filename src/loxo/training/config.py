"""What decides a training run: its configuration file, checked to the last key.

A file says what is not a default; `--set key=value` changes it for one run, `dev` holds what a trial changes. An error names the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, Self, cast, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model, field_validator, model_validator

from loxo.augment import AugmentSettings
from loxo.checkpoints import DECISIONS, Decision, ModelError, explained, find_model, load_spec
from loxo.events import EVENT_LABELS
from loxo.models import MODELS, OptimiserSettings
from loxo.sampling import ClassShares
from loxo.simulate import SceneSettings
from loxo.spectrogram import FrontEnd
from loxo.timeline import samples_at

__all__ = ["ConfigError", "DataConfig", "ModelConfig", "TrainingConfig", "model_settings", "read_config"]


class ConfigError(ValueError):
    """A configuration that cannot be used: one line with the file, the key and what was expected."""


class Strict(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(Strict):
    """Which architecture, and its settings where they are not the defaults."""

    name: str = "tcn"
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        if name not in MODELS:
            raise ValueError(f"no such architecture; there are {', '.join(MODELS)}")
        return name


OF_SCENES: dict[str, Any] = {
    each.name: (get_type_hints(SceneSettings)[each.name], each.default)
    for each in fields(SceneSettings)
    if each.name not in {"rate", "seconds", "backgrounds"}
}
Scene = create_model("Scene", __base__=Strict, **OF_SCENES)
"""What may be said of scenes; their rate and length are those of the windows."""


class DataConfig(Strict):
    """A clip set, simulated scenes, or both.

    Args:
        window_s: length of the window of each clip that is seen, and of a scene.
        keep_events: a window of a clip with events holds one of them.
        scenes: how many are drawn for an epoch, anew for each.
        validation_scenes: how many more are drawn once, to validate with.
        scene: what they hold.
        backgrounds: files, or folders of them, without rumbles or gunshots, that scenes are set into; some are kept for validation.
    """

    clips: Path | None = None
    window_s: float = Field(30.0, gt=0)
    keep_events: bool = False
    scenes: int = Field(0, ge=0)
    validation_scenes: int = Field(400, ge=1)
    scene: dict[str, Any] = Field(default_factory=dict)
    backgrounds: tuple[Path, ...] = ()

    @field_validator("scene")
    @classmethod
    def possible(cls, scene: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(Scene.model_validate(scene).model_dump(exclude_unset=True))
        except ValidationError as error:
            raise ValueError(explained(error)) from error

    @model_validator(mode="after")
    def something(self) -> Self:
        if self.clips is None and not self.scenes:
            raise ValueError("neither clips nor scenes to train on; give the path of a clip set, or a number of scenes")
        return self


class TrainingConfig(Strict):
    """All that decides a training run, together with its data.

    Args:
        start: a packaged model, or a model folder, whose weights training begins with; `model` and `front_end` are then its own.
        shares: of the kinds of clips in a batch; None takes them as they are in the clip set.
        patience: epochs without a smaller validation loss after which training stops; 0 trains them all.
        batch_size: for each process.
        average_decay: of the running mean of weights that a model gets; a short run forgets all but its last tenth.
        precision: `auto` is mixed on a graphics card, and single on a processor.
        dev: what is different in a trial (`--dev`), by the same keys.
    """

    start: str = ""
    model: ModelConfig = ModelConfig()
    data: DataConfig
    front_end: FrontEnd = Field(default_factory=lambda before: MODELS[before["model"].name][0].FRONT_END)
    optimiser: OptimiserSettings = OptimiserSettings()
    augment: AugmentSettings = AugmentSettings()
    shares: ClassShares | None = None
    decisions: dict[str, Decision] = Field(default_factory=lambda: dict(DECISIONS))
    epochs: int = Field(10, ge=1)
    patience: int = Field(0, ge=0)
    batch_size: int = Field(32, ge=1)
    workers: int = Field(0, ge=0)
    devices: int = Field(1, ge=1)
    nodes: int = Field(1, ge=1)
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    logger: Literal["tensorboard", "wandb", "none"] = "tensorboard"
    recall_weight: float = Field(1.5, gt=0)
    card: str = ""
    average_decay: float = Field(0.995, ge=0, lt=1)
    gradient_clip: float = Field(1.0, gt=0)
    seed: int = 0
    output: Path = Path("runs/tcn")
    dev: dict[str, Any] = Field(default_factory=dict)

    @field_validator("decisions")
    @classmethod
    def one_for_each_label(cls, decisions: dict[str, Decision]) -> dict[str, Decision]:
        if set(decisions) != set(EVENT_LABELS):
            raise ValueError(f"there must be one for each of {', '.join(EVENT_LABELS)}, not for {', '.join(decisions)}")
        return decisions

    @model_validator(mode="after")
    def whole_frames(self) -> Self:
        grid = self.front_end.grid
        if samples_at(self.data.window_s, grid.rate) % grid.hop:
            raise ValueError(f"data.window_s: {self.data.window_s:g} s are not whole frames of {grid.frame_s:g} s")
        return self


def read_config(path: Path, changes: Sequence[str] = (), *, dev: bool = False) -> TrainingConfig:
    """Read and check a configuration file.

    Args:
        changes: `key=value`, the key with dots between its parts, the value as in the file.
        dev: a trial: with the changes under the file's `dev`, clips of `data/dev` for `data`, and `-dev` behind the output's name.

    Raises:
        ConfigError: if it is missing, not YAML, or a key is unknown or impossible.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give the path of a configuration, as configs/tcn.yaml is one") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if isinstance(content, dict):
        if dev:
            content = _merged(content, content.get("dev") or {})
        for change in changes:
            content = _merged(content, _nested(change))
        content = _merged(_started(content.get("start")), content)
    try:
        config = TrainingConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explained(error)}") from error
    try:
        model_settings(config.model)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explained(error, 'model', 'settings')}") from error
    return _trial(config) if dev else config


def _merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy in which the changes stand, part by part."""
    joined = dict(content)
    for key, value in changes.items():
        old = joined.get(key)
        joined[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return joined


def _started(name: object) -> dict[str, Any]:
    """What the model that training begins with decides."""
    if not name:
        return {}
    try:
        spec = load_spec(find_model(str(name)))
    except ModelError as error:
        raise ConfigError(f"start: {error}") from error
    return {"model": cast("dict[str, Any]", spec.training["config"])["model"], "front_end": asdict(spec.front_end)}


def _nested(change: str) -> dict[str, Any]:
    key, separator, text = change.partition("=")
    if not separator or not key:
        raise ConfigError(f"--set {change}: write key=value, as in epochs=3 or model.settings.joined=64")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {change}: the value is not YAML") from error
    for part in reversed(key.split(".")):
        value = {part: value}
    return cast("dict[str, Any]", value)


def _trial(config: TrainingConfig) -> TrainingConfig:
    clips = config.data.clips
    if clips is not None and len(clips.parts) > 1 and not clips.is_absolute():
        clips = Path(clips.parts[0], "dev", *clips.parts[1:])
    data = config.data.model_copy(update={"clips": clips})
    output = config.output.with_name(f"{config.output.name}-dev")
    return config.model_copy(update={"data": data, "output": output})


def model_settings(config: ModelConfig) -> Any:
    """The settings of an architecture, its defaults where the configuration says nothing."""
    _, settings_class = MODELS[config.name]
    return TypeAdapter(settings_class).validate_python(config.settings, extra="forbid")
