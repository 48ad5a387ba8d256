"""The folder of a training run: what decided it, where it ran, and whether it can be resumed.

config.yaml        the whole configuration
run.json           fingerprint of the data, versions, device, state of the code
metrics.jsonl      metrics, a line per epoch
checkpoints/       last.ckpt, and best.ckpt with the smallest validation loss
curves.png         loss and metrics over the epochs
confusion.json     frames by truth and detection, and the same as confusion.png
tensorboard/       the log of TensorBoard, if that is the logger
model/             the model folder
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import torch
import yaml

from loxo.provenance import versions
from loxo.settings import SettingsError
from loxo.storage import write_json, write_text
from loxo.training.config import TrainingConfig

__all__ = ["RunFolder", "package_versions", "without_folders"]


class RunFolder:
    """The files of a run, by their purpose."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.last_checkpoint = self.checkpoints / "last.ckpt"
        self.resampled = path / "resampled"
        """Clips at the model's rate, while the run needs them."""
        self.model = path / "model"

    def begin(self, config: TrainingConfig, fingerprint: dict[str, Any], *, fresh: bool) -> None:
        """Write what decides the run; a fresh run first removes the results of an earlier one."""
        self.path.mkdir(parents=True, exist_ok=True)
        if fresh:
            shutil.rmtree(self.checkpoints, ignore_errors=True)
            self.metrics.unlink(missing_ok=True)
        write_text(self.config, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        circumstances = {
            "versions": package_versions(),
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
            "git": _git_state(),
        }
        write_json(self.path / "run.json", fingerprint | circumstances)

    def check_resumable(self, config: TrainingConfig) -> None:
        """Check that a run has the same configuration, so that it can be resumed.

        A larger number of epochs is another configuration, too: it changes the learning rates. Only
        the path of the folder may differ, since it may have been moved.

        Raises:
            SettingsError: if a key has another value.
        """
        text = self.config.read_text(encoding="utf-8") if self.config.is_file() else ""
        before = yaml.safe_load(text) or {}
        now = config.model_dump(mode="json")
        changed = [key for key in now if key != "output" and before.get(key) != now[key]]
        if changed:
            raise SettingsError(
                f"{self.config}: the run to resume had another {', '.join(changed)}; "
                "train without --resume, or into another output"
            )


def package_versions() -> dict[str, str]:
    """Versions of the packages that the weights depend on."""
    return versions(("loxo", "torch", "pytorch-lightning", "numpy"))


def without_folders(value: Any) -> Any:
    """Reduce paths in settings to their last name.

    A model is passed on to others, whom the folders of its data do not concern.
    """
    match value:
        case Path():
            return value.name
        case dict():
            return {key: without_folders(each) for key, each in value.items()}
        case list() | tuple():
            return [without_folders(each) for each in value]
        case _:
            return value


def _git_state() -> str | None:
    """Commit of the code, with a `+` if it was changed since; None outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "describe", "--always", "--dirty=+", "--abbrev=12"]
    found = subprocess.run(  # noqa: S603 a constant command
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None
