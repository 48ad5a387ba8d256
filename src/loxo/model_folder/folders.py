"""Model folders: found by name, hashed, written, and their weights read back."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from loxo.messages import one_line
from loxo.model_folder.spec import ModelError, ModelSpec
from loxo.model_folder.spec_file import save_spec
from loxo.provenance import digest, file_hash

if TYPE_CHECKING:
    import torch

    from loxo.models.abstract_model import AbstractModel

__all__ = [
    "find_model",
    "load_weights",
    "model_hash",
    "network_hash",
    "packaged_models",
    "save_model",
]

_RENAMED_WEIGHTS = (
    ("pictures.", "stem."),
    (".stacks.", ".branches."),
    (".joins.", ".projections."),
    ("over_time.", "temporal."),
    (".change.", ".layers."),
)
"""Parts of the names of weights in older folders, and their names of today."""


def packaged_models() -> dict[str, Path]:
    """Folders of the models that come with the package, by name."""
    root = Path(str(resources.files("loxo"))) / "packaged"
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return {folder.name: folder for folder in folders if (folder / "spec.json").is_file()}


def find_model(name: str | Path) -> Path:
    """Folder of a packaged model by its name, or a model folder by its path.

    A text that names a packaged model is that model, even if a folder of that name exists; write
    `./tcn` or a `Path` for the folder.

    Raises:
        ModelError: if there is neither.
    """
    packaged = packaged_models()
    if isinstance(name, str) and name in packaged:
        return packaged[name]
    if (Path(name) / "spec.json").is_file():
        return Path(name)
    raise ModelError(
        f"{name}: neither a packaged model ({', '.join(packaged) or 'there are none'})"
        " nor a folder with spec.json"
    )


def model_hash(folder: str | Path) -> str:
    """A hash of all that decides a model's detections: its network and its specification."""
    sha256 = hashlib.sha256()
    for name in ("model.onnx", "spec.json"):
        sha256.update((Path(folder) / name).read_bytes())
    return sha256.hexdigest()[:16]


def network_hash(spec: ModelSpec, folder: str | Path) -> str:
    """A hash of what decides a model's scores, which thresholds and other post-processing do not.

    Scores that were kept stay valid as long as it is the same.

    Args:
        spec: of the model; that of the folder, or one whose calibration was changed.
    """
    settings = asdict(spec)
    decisive = ("front_end", "labels", "context_frames", "window_frames")
    parts = {name: settings[name] for name in decisive}
    parts["calibration"] = {
        label: (each.slope, each.offset) for label, each in spec.calibration.items()
    }
    return digest(file_hash(Path(folder) / "model.onnx"), parts)[:16]


def save_model(model: AbstractModel, spec: ModelSpec, folder: Path, card: str) -> None:
    """Export a trained model as a folder, which replaces an existing one as a whole.

    Args:
        card: content of `README.md`.
    """
    from safetensors.torch import save

    from loxo.models.exporting import export_network  # with torch, which the core does not need

    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    export_network(model, temporary / "model.onnx")
    (temporary / "weights.safetensors").write_bytes(save(_weights(model)))
    save_spec(spec, temporary)
    (temporary / "README.md").write_text(card, encoding="utf-8")
    _replace_folder(temporary, folder)


def _replace_folder(new: Path, folder: Path) -> None:
    """Replace a folder by a new one.

    A folder that holds files cannot be replaced in one step. The old one is renamed, then the new
    one, so that the folder is missing only between two renames. If the second one fails, the old
    folder is restored.
    """
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def load_weights(model: AbstractModel, folder: str | Path) -> None:
    """Fill a model with the weights of a folder.

    Raises:
        ModelError: if they are missing, or of another architecture or size.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder) / "weights.safetensors"
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path}: cannot be read as weights: {one_line(error)};"
            " a model folder that training wrote has them"
        ) from error
    own = _weights(model)
    weights = {name if name in own else _renamed(name): stored[name] for name in stored}
    differing = sorted(own.keys() ^ weights.keys()) or sorted(
        name for name in own if own[name].shape != weights[name].shape
    )
    if differing:
        raise ModelError(
            f"{path}: weights of another architecture or size;"
            f" they differ in {', '.join(differing[:3])}"
        )
    # Not strict, because of the state of the metrics, which the file does not hold.
    model.load_state_dict(weights, strict=False)


def _renamed(name: str) -> str:
    for old, new in _RENAMED_WEIGHTS:
        name = name.replace(old, new)
    return name


def _weights(model: AbstractModel) -> dict[str, torch.Tensor]:
    """All that was learnt, by name; the state of the metrics is not."""
    return {
        name: tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("metrics.")
    }
