"""The model folder: all that detection needs to know of a model, in files that hold no code.

    model.onnx            the network, features (batch, band, frame) -> scores (batch, class, frame), without the front end
    spec.json             ModelSpec: labels, front end, context, decisions, and how it was trained
    weights.safetensors   the weights by name, to train further
    README.md             the model card

Nothing is ever unpickled. A folder is written beside its place and renamed, so that a half-written model is never found.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from loxo.events import EVENT_LABELS
from loxo.spectrogram import FrontEnd
from loxo.storage import replacing

if TYPE_CHECKING:
    import torch

    from loxo.models.abstract_model import AbstractModel

__all__ = [
    "DECISIONS",
    "Calibration",
    "Decision",
    "ModelError",
    "ModelSpec",
    "OperatingPoint",
    "explained",
    "find_model",
    "load_spec",
    "load_weights",
    "model_hash",
    "packaged_models",
    "save_model",
    "save_spec",
]


class ModelError(ValueError):
    """A model that cannot be found or read; the message is one line with the remedy."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How the scores of one label become detections.

    Args:
        threshold: a detection holds at least one smoothed score that is not below it.
        release: it reaches as far as scores are not below `release * threshold` (hysteresis).
        smoothing_s: length of the mean that is taken over the scores; that of one frame is none.
        minimum_s: shorter detections are dropped.
        merge_gap_s: detections with no longer gap between them are one.
        low_hz, high_hz: where the label's energy is looked for when the band of a detection is measured.
    """

    threshold: float
    release: float = 0.5
    smoothing_s: float = 0.1
    minimum_s: float = 0.0
    merge_gap_s: float = 0.0
    low_hz: float = 0.0
    high_hz: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0 or not 0.0 < self.release <= 1.0:
            raise ValueError(f"threshold {self.threshold} and release {self.release} must lie in (0, 1]")
        if min(self.smoothing_s, self.minimum_s, self.merge_gap_s) < 0:
            raise ValueError(
                f"smoothing {self.smoothing_s} s, minimum {self.minimum_s} s and gap {self.merge_gap_s} s must not be negative"
            )


DECISIONS = {
    "Rumble": Decision(0.5, minimum_s=0.2, merge_gap_s=0.5, low_hz=7.0, high_hz=250.0),
    "Gunshot": Decision(0.5, minimum_s=0.2, merge_gap_s=0.3, low_hz=50.0, high_hz=1800.0),
}
"""Decisions before training has chosen thresholds."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How raw scores become shares of detections that are true: `slope` times their log odds, plus `offset` (Platt 1999)."""

    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 < self.slope < float("inf") and abs(self.offset) < float("inf")):
            raise ValueError(f"slope {self.slope} must be positive, and it and the offset {self.offset} finite")


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What was found at a threshold, by `overlap10`; None where there was nothing to find."""

    threshold: float
    recall: float | None
    precision: float | None
    false_positives_per_hour: float


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a model takes and what it answers.

    Args:
        context_frames: frames at either side of those that are scored which the network is shown as well.
        window_frames: frames that the network takes at a time, with their context; None means any number.
        calibration: of each label; none where scores are as the network gives them.
        operating_points: of each label, thresholds descending, in the recordings that it was calibrated with.
        training: settings, versions and data hash of the run that made it.
    """

    name: str
    version: str
    front_end: FrontEnd = field(default_factory=FrontEnd)
    labels: tuple[str, ...] = EVENT_LABELS
    context_frames: int = 100
    window_frames: int | None = None
    decisions: dict[str, Decision] = field(default_factory=lambda: dict(DECISIONS))
    calibration: dict[str, Calibration] = field(default_factory=dict)
    operating_points: dict[str, tuple[OperatingPoint, ...]] = field(default_factory=dict)
    training: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.decisions) != set(self.labels):
            raise ValueError(f"decisions for {sorted(self.decisions)} do not fit the labels {list(self.labels)}")
        for known in (self.calibration, self.operating_points):
            if known and set(known) != set(self.labels):
                raise ValueError(f"calibration for {sorted(known)} does not fit the labels {list(self.labels)}")
        if self.window_frames is not None and not 0 <= 2 * self.context_frames < self.window_frames:
            raise ValueError(
                f"a window of {self.window_frames} frames has no room for {self.context_frames} frames of context at either side"
            )


def load_spec(folder: Path) -> ModelSpec:
    """Read `spec.json` of a model folder.

    Raises:
        ModelError: if it is missing or not a specification.
    """
    path = folder / "spec.json"
    try:
        return TypeAdapter(ModelSpec).validate_json(path.read_bytes(), extra="forbid")
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; a model is a folder with model.onnx and spec.json") from error
    except ValidationError as error:
        raise ModelError(f"{path}: {explained(error)}; mend it, or take the folder anew from where it was trained") from error


def save_spec(spec: ModelSpec, folder: Path) -> None:
    """Write `spec.json` into a model folder."""
    with replacing(folder / "spec.json") as passing:
        passing.write_text(json.dumps(asdict(spec), indent=2) + "\n", encoding="utf-8")


def explained(error: ValidationError, *where: str) -> str:
    """The first thing that is wrong, in one line: the path of its key (below `where`), what was expected, and the value."""
    first = error.errors(include_url=False)[0]
    keys = [*where, *map(str, first["loc"])]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] not in {"missing", "value_error", "json_invalid", "unexpected_keyword_argument", "extra_forbidden"}:
        message += f", not {first['input']!r}"
    return ": ".join([".".join(keys), message] if keys else [message])


def packaged_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    root = Path(str(resources.files("loxo"))) / "packaged"
    return {folder.name: folder for folder in sorted(root.iterdir()) if (folder / "spec.json").is_file()} if root.is_dir() else {}


def find_model(name: str) -> Path:
    """The folder of a packaged model by its name, or a model folder by its path.

    Raises:
        ModelError: if there is neither.
    """
    packaged = packaged_models()
    if name in packaged:
        return packaged[name]
    if (Path(name) / "spec.json").is_file():
        return Path(name)
    raise ModelError(f"{name}: neither a packaged model ({', '.join(packaged) or 'there are none'}) nor a folder with spec.json")


def model_hash(folder: Path) -> str:
    """A hash of what decides a model's answers: its network and its specification."""
    digest = hashlib.sha256()
    for name in ("model.onnx", "spec.json"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


def save_model(model: AbstractModel, spec: ModelSpec, folder: Path, card: str) -> None:
    """Export a trained model as a folder; an existing one is replaced whole."""
    from safetensors.torch import save_file

    from loxo.models.exporting import export_network

    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    export_network(model, temporary / "model.onnx")
    save_file(_weights(model), temporary / "weights.safetensors")
    save_spec(spec, temporary)
    (temporary / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def load_weights(model: AbstractModel, folder: Path) -> None:
    """Fill a model with the weights of a folder.

    Raises:
        ModelError: if they are missing, or not of this architecture and size.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "weights.safetensors"
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read as weights: {error}; a model folder that training wrote has them") from error
    own = _weights(model)
    differing = sorted(own.keys() ^ weights.keys()) or sorted(name for name in own if own[name].shape != weights[name].shape)
    if differing:
        raise ModelError(f"{path}: weights of another architecture or size; they differ in {', '.join(differing[:3])}")
    model.load_state_dict(weights, strict=False)


def _weights(model: AbstractModel) -> dict[str, torch.Tensor]:
    """All that was learnt, by name; what the metrics have counted is not."""
    return {name: tensor.contiguous() for name, tensor in model.state_dict().items() if not name.startswith("metrics.")}
