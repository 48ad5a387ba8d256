"""The configuration of a training run: a YAML file, checked down to the last key.

A file holds what differs from the defaults. `--set key=value` changes it for one run, and its key
`dev` holds the changes for a short trial. Errors name the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from loxo.augment import AugmentSettings
from loxo.events import BACKGROUND, EVENT_LABELS
from loxo.model_folder import (
    ModelError,
    PostProcessing,
    default_post_processing,
    find_model,
    load_spec,
)
from loxo.models import MODELS, OptimiserSettings
from loxo.sampling import SEVERAL, check_shares
from loxo.settings import SettingsError, explain, merge, parse_change, read_yaml
from loxo.simulate import SceneSettings
from loxo.spectrogram import FrontEnd
from loxo.timeline import samples_at

__all__ = [
    "DataConfig",
    "ModelConfig",
    "SettingsError",
    "TrainingConfig",
    "model_settings",
    "read_config",
]


class Strict(BaseModel):
    """Base of settings in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(Strict):
    """The name of an architecture, and its settings where they differ from the defaults."""

    name: str = "tcn"
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        if name not in MODELS:
            raise ValueError(f"no such architecture; there are {', '.join(MODELS)}")
        return name


DECIDED_ELSEWHERE = {"rate", "seconds", "backgrounds", "labels"}
"""Settings of scenes that other keys of a configuration decide."""
SCENE_FIELDS: dict[str, Any] = {
    each.name: (get_type_hints(SceneSettings)[each.name], each.default)
    for each in fields(SceneSettings)
    if each.name not in DECIDED_ELSEWHERE
}
Scene = create_model("Scene", __base__=Strict, **SCENE_FIELDS)
"""The settings of scenes that a configuration may change."""


class DataConfig(Strict):
    """Training data: a clip set, simulated scenes, or both.

    Args:
        clips: manifest of a clip set, as `loxo prepare` and `loxo simulate --clips` write it.
        window_s: length in seconds of the window that is drawn from each clip, and of a scene.
        keep_events: each window of a clip with events holds at least one of them.
        scenes: scenes per epoch; each epoch draws other ones.
        validation_scenes: further scenes for validation, drawn once.
        scene: settings of `SceneSettings` that differ from the defaults.
        backgrounds: recordings, or folders of them, without events; simulated sounds are set into
            them. Some are held out for validation.
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
    def possible_scene(cls, scene: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(Scene.model_validate(scene).model_dump(exclude_unset=True))
        except ValidationError as error:
            raise ValueError(explain(error, settings=Scene)) from error

    @model_validator(mode="after")
    def clips_or_scenes(self) -> Self:
        if self.clips is None and not self.scenes:
            raise ValueError(
                "neither clips nor scenes to train on; give the path of a clip set, "
                "or a number of scenes"
            )
        return self


class TrainingConfig(Strict):
    """Everything that decides a training run, apart from the data files.

    Args:
        init_from: a packaged model or a model folder whose weights training starts from; `model`,
            `labels`, `front_end` and `post_processing` are then those of that model unless given.
        keep_initial: share of the weights of `init_from` in the model; the rest is that of the
            trained weights. A mean of both keeps more of what the first model knew (M. Wortsman et
            al., "Robust fine-tuning of zero-shot models", 2022).
        keep_scores: share of the scores of `init_from` in the training targets, for each label; the
            rest is the truth. A label with a high share learns little that is new.
        labels: what the model learns to detect, in the order of its scores.
        shares: share of each kind of clip in a batch, by the labels, `Several` and `Background`;
            None takes the kinds as frequent as they are in the clip set.
        augment: changes to training batches; `none` switches all of them off.
        post_processing: how scores become detections, for each label; training chooses the
            thresholds.
        patience: stop after so many epochs without a smaller validation loss; 0 never stops early.
        batch_size: windows per step and process.
        workers: processes that read windows, for each training process; 0 reads in that process.
        devices: training processes on each node: one for each graphics card, or for each core.
        nodes: computers that train together.
        precision: `auto` is mixed precision on a graphics card (bfloat16 where it has that) and
            single precision elsewhere.
        logger: `tensorboard`, `wandb` (Weights & Biases) or `none`, besides `metrics.jsonl`.
        project: name of the project in Weights & Biases.
        recall_weight: weight of recall against precision when thresholds are chosen (F-beta).
        card: Markdown text at the end of the model card.
        ema_decay: decay per step of the exponential moving average of the weights, which becomes
            the model; short runs use a smaller one, so that the start of the run is forgotten.
        gradient_clip: largest norm of the gradient.
        seed: of all random numbers; the same seed and data give the same weights.
        output: folder of the run.
        dev: changes for a short trial (`--dev`), by the same keys.
    """

    init_from: str = ""
    keep_initial: float = Field(0.0, ge=0, lt=1)
    keep_scores: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    labels: tuple[str, ...] = Field(EVENT_LABELS, min_length=1)
    model: ModelConfig = ModelConfig()
    data: DataConfig
    front_end: FrontEnd = Field(
        default_factory=lambda before: MODELS[before["model"].name][0].FRONT_END
    )
    optimiser: OptimiserSettings = OptimiserSettings()
    augment: AugmentSettings | None = AugmentSettings()
    shares: dict[str, float] | None = None
    post_processing: dict[str, PostProcessing] = Field(
        default_factory=lambda before: default_post_processing(
            before["labels"], before["front_end"].rate
        )
    )
    epochs: int = Field(10, ge=1)
    patience: int = Field(0, ge=0)
    batch_size: int = Field(32, ge=1)
    workers: int = Field(0, ge=0)
    devices: int = Field(1, ge=1)
    nodes: int = Field(1, ge=1)
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    logger: Literal["tensorboard", "wandb", "none"] = "tensorboard"
    project: str = Field("loxo", min_length=1)
    recall_weight: float = Field(1.5, gt=0)
    card: str = ""
    ema_decay: float = Field(0.995, ge=0, lt=1)
    gradient_clip: float = Field(1.0, gt=0)
    seed: int = 0
    output: Path = Path("runs/tcn")
    dev: dict[str, Any] = Field(default_factory=dict)

    @field_validator("labels")
    @classmethod
    def distinct_labels(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) < len(labels) or "" in labels:
            raise ValueError(
                f"{', '.join(labels)}: each label must be given once, and not be empty"
            )
        reserved = [label for label in labels if label in {BACKGROUND, SEVERAL}]
        if reserved:
            raise ValueError(f"{reserved[0]} cannot be a label: it is a kind of clips; rename it")
        return labels

    @field_validator("augment", mode="before")
    @classmethod
    def augment_or_none(cls, augment: object) -> object:
        return None if augment == "none" else augment

    @model_validator(mode="after")
    def settings_follow_labels(self) -> Self:
        if self.shares is not None:
            try:
                check_shares(self.shares, self.labels)
            except ValueError as error:
                raise ValueError(f"shares: {error}") from error
        weights = self.optimiser.positive_weight
        by_label: dict[str, object] = {"post_processing": self.post_processing}
        if isinstance(weights, dict):
            by_label["optimiser.positive_weight"] = weights
        for key, values in by_label.items():
            if set(values) != set(self.labels):  # type: ignore[call-overload]
                raise ValueError(
                    f"{key}: there must be one for each of {', '.join(self.labels)}, "
                    f"not for {', '.join(values)}"  # type: ignore[arg-type]
                )
        return self

    @model_validator(mode="after")
    def something_to_keep(self) -> Self:
        for key in ("keep_initial", "keep_scores"):
            if getattr(self, key) and not self.init_from:
                raise ValueError(f"{key}: there is no initial model; name one in init_from")
        unknown = sorted(self.keep_scores.keys() - set(self.labels))
        if unknown:
            raise ValueError(
                f"keep_scores.{unknown[0]}: the labels are {', '.join(self.labels)}; name one of "
                "them"
            )
        return self

    @model_validator(mode="after")
    def whole_frames(self) -> Self:
        grid = self.front_end.grid
        if samples_at(self.data.window_s, grid.rate) % grid.hop:
            raise ValueError(
                f"data.window_s: {self.data.window_s:g} s are not whole frames "
                f"of {grid.frame_s:g} s"
            )
        return self


RENAMED = {
    "start": "init_from",
    "average_decay": "ema_decay",
    "decisions": "post_processing",
    "shares.rumble": "shares.Rumble",
    "shares.gunshot": "shares.Gunshot",
    "shares.both": "shares.Several",
    "shares.background": "shares.Background",
    "front_end.long.every": "front_end.long.decimation",
    "front_end.long.flat": "front_end.long.tukey_taper",
    "front_end.short.every": "front_end.short.decimation",
    "front_end.short.flat": "front_end.short.tukey_taper",
    "model.settings.joined": "model.settings.channels",
}
"""Keys of earlier versions and their names now. A taper is one less what `flat` was, and where
`joined` became `channels`, the former `channels` are `stem_channels`."""


def read_config(path: Path, changes: Sequence[str] = (), *, dev: bool = False) -> TrainingConfig:
    """Read and check a configuration file.

    Args:
        changes: `key=value` each; dots separate the parts of a key, the value is YAML.
        dev: make it a short trial: apply the file's `dev`, take clips from `data/dev` instead of
            `data`, and add `-dev` to the output's name.

    Raises:
        SettingsError: if the file is missing or not YAML, or a key is unknown or impossible.
    """
    content = read_yaml(path)
    if dev and isinstance(content.get("dev"), dict):
        content = merge(content, content["dev"])
    for change in changes:
        content = merge(content, parse_change(change, "epochs=3 or model.settings.dropout=0.2"))
    _refuse_renamed(content, str(path))
    content = merge(_of_initial_model(content), content)
    try:
        config = TrainingConfig.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error, settings=TrainingConfig)}") from error
    try:
        model_settings(config.model)
    except ValidationError as error:
        told = explain(error, "model", "settings", settings=MODELS[config.model.name][1])
        raise SettingsError(f"{path}: {told}") from error
    return _as_trial(config) if dev else config


def _refuse_renamed(content: dict[str, Any], place: str) -> None:
    """Name the new name of a key of an earlier version.

    Raises:
        SettingsError: if there is such a key.
    """
    for old, new in RENAMED.items():
        *levels, key = old.split(".")
        part: Any = content
        for level in levels:
            part = part.get(level) if isinstance(part, dict) else None
        if isinstance(part, dict) and key in part:
            name = new.rpartition(".")[2]
            raise SettingsError(f"{place}: {old}: no such key; did you mean {name}?")


def _of_initial_model(content: dict[str, Any]) -> dict[str, Any]:
    """The keys that the model in `init_from` decides."""
    name = content.get("init_from")
    if not name:
        return {}
    try:
        spec = load_spec(find_model(str(name)))
    except ModelError as error:
        raise SettingsError(f"init_from: {error}") from error
    training = cast("dict[str, Any]", spec.training.get("config", {}))
    if "model" not in training:
        raise SettingsError(
            f"init_from: {name}: its spec.json does not name its architecture; "
            "take a model that `loxo train` wrote"
        )
    if content.get("labels", list(spec.labels)) != list(spec.labels):
        raise SettingsError(
            f"init_from: {name} scores {', '.join(spec.labels)}, which cannot be changed; "
            "leave out labels, or init_from"
        )
    post_processing = {label: asdict(each) for label, each in spec.post_processing.items()}
    return {
        "model": training["model"],
        "labels": list(spec.labels),
        "front_end": asdict(spec.front_end),
        "post_processing": post_processing,
    }


def _as_trial(config: TrainingConfig) -> TrainingConfig:
    clips = config.data.clips
    if clips is not None and len(clips.parts) > 1 and not clips.is_absolute():
        clips = Path(clips.parts[0], "dev", *clips.parts[1:])
    data = config.data.model_copy(update={"clips": clips})
    output = config.output.with_name(f"{config.output.name}-dev")
    return config.model_copy(update={"data": data, "output": output})


def model_settings(config: ModelConfig) -> Any:
    """Settings of an architecture, with its defaults where the configuration gives none.

    Raises:
        pydantic.ValidationError: if a key is unknown or a value is impossible.
    """
    _, settings_class = MODELS[config.name]
    return TypeAdapter(settings_class).validate_python(config.settings, extra="forbid")
