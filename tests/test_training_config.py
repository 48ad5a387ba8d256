"""A configuration is checked before anything starts; what is wrong is said on one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from loxo.training import SettingsError, build_model, read_config
from loxo.training.config import RENAMED
from loxo.training.trainer import ema_decay

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path.stem != "prepare")
CLIPS = "data: {clips: clips.parquet}\n"


def config_file(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_can_be_read_and_built(path: Path) -> None:
    assert build_model(read_config(path)).front_end.rate > 0


def test_there_are_shipped_configurations() -> None:
    assert len(CONFIGS) == 7


def test_a_configuration_needs_no_more_than_its_clips(tmp_path: Path) -> None:
    config = read_config(config_file(tmp_path, CLIPS))
    assert config.data.clips == Path("clips.parquet")
    assert config.model.name == "tcn"
    assert config.labels == ("Rumble", "Gunshot")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- 1\n", "keys with values are expected"),
        ("epochs: 3\n", "data: Field required"),
        (CLIPS + "epoch: 3\n", r"epoch: no such key; did you mean epochs\?"),
        (CLIPS + "epochs: many\n", "epochs: .*'many'"),
        (CLIPS + "epochs: 0\n", "epochs: .*greater than or equal to 1, not 0"),
        (CLIPS + "ema_decay: 1\n", "ema_decay: .*less than 1, not 1"),
        (
            CLIPS + "optimiser: {learning_rat: 1}\n",
            r"optimiser.learning_rat: no such key; did you mean learning_rate\?",
        ),
        (CLIPS + "optimiser: {learning_rate: fast}\n", "optimiser.learning_rate: .*'fast'"),
        (CLIPS + "optimiser: {learning_rate: -1}\n", r"optimiser: learning rate -1\.0"),
        (CLIPS + "augment: {crop: {share: 7}}\n", "augment.crop: share 7"),
        (CLIPS + "augment: some\n", "augment: .*'some'"),
        (CLIPS + "shares: {Rumble: -1}\n", "shares: shares -1"),
        (CLIPS + "shares: {Roar: 1}\n", "shares: Roar is no kind of clip; the kinds are Rumble, "),
        (CLIPS + "precision: half\n", "precision: "),
        (CLIPS + "project: ''\n", "project: "),
        (
            CLIPS + "model: {name: perceptron}\n",
            "model.name: no such architecture; there are tcn, ",
        ),
        (
            CLIPS + "model: {settings: {chanels: 4}}\n",
            r"model.settings.chanels: no such key; did you mean channels\?",
        ),
        (
            CLIPS + "model: {settings: {stem_channels: [4, wide]}}\n",
            "model.settings.stem_channels.1: .*'wide'",
        ),
        (CLIPS + "model: {settings: {channels: 0}}\n", "model.settings: .*channels 0"),
        (
            CLIPS + "front_end: {hop: 333}\n",
            "front_end: a window of 1600 samples does not centre on 1 parts of a hop of 333",
        ),
        (
            CLIPS + "post_processing: {Rumble: {threshold: 0}, Gunshot: {threshold: 0.5}}\n",
            "post_processing.Rumble: threshold 0",
        ),
        (
            CLIPS + "post_processing: {Rumble: {threshold: 0.5}}\n",
            "post_processing: there must be one for each of Rumble, Gunshot, not for Rumble",
        ),
        (CLIPS + "labels: []\n", "labels: "),
        (CLIPS + "labels: [Rumble, Rumble]\n", "labels: Rumble, Rumble: each label must be given"),
        (CLIPS + "labels: [Rumble, Background]\n", "labels: Background cannot be a label"),
        (
            CLIPS + "labels: [Rumble]\noptimiser: {positive_weight: {Rumble: 1, Gunshot: 1}}\n",
            "optimiser.positive_weight: there must be one for each of Rumble, not for Rumble, Gun",
        ),
        ("data: {clips: a, window_s: 0}\n", "data.window_s: .*greater than 0, not 0"),
        (
            "data: {clips: a, window_s: 6.05}\n",
            r"data.window_s: 6\.05 s are not whole frames of 0\.1 s",
        ),
        ("data: {clips: [a\n", "not YAML: "),
        ("data: {clips: !!python/object/apply:os.getcwd []}\n", "not YAML: "),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said_on_one_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = config_file(tmp_path, text)
    with pytest.raises(SettingsError, match=f"^{path}: {expected}") as error:
        read_config(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("old", RENAMED)
def test_a_key_of_an_earlier_version_names_its_new_name(tmp_path: Path, old: str) -> None:
    path = config_file(tmp_path, CLIPS)
    name = RENAMED[old].rpartition(".")[2]
    with pytest.raises(SettingsError, match=rf"^{path}: {old}: no such key; did you mean {name}\?"):
        read_config(path, [f"{old}=1"])


def test_a_configuration_that_is_missing_or_not_text_is_said_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file or directory; give the path of a config"):
        read_config(tmp_path / "missing.yaml")
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"epochs: \xff\xfe")
    with pytest.raises(SettingsError, match="not YAML"):
        read_config(path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"window_s": 6.0}, "neither clips nor scenes to train on"),
        (
            {"scenes": 4, "scene": {"rumble_per_minute": 3}},
            r"scene: rumble_per_minute: no such key; did you mean rumbles_per_minute\?",
        ),
        ({"scenes": 4, "scene": {"empty_share": "many"}}, "scene: empty_share: .*'many'"),
        ({"scenes": 4, "scene": {"rate": 8000}}, "scene: rate: "),
    ],
)
def test_impossible_data_are_refused_with_their_key(
    tmp_path: Path, data: dict[str, object], told: str
) -> None:
    with pytest.raises(SettingsError, match=told) as error:
        read_config(config_file(tmp_path, yaml.safe_dump({"data": data})))
    assert "\n" not in str(error.value)


def test_a_missing_initial_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="init_from: none: neither a packaged model"):
        read_config(config_file(tmp_path, CLIPS + "init_from: none\n"))
    for key in ("keep_initial: 0.5", "keep_scores: {Rumble: 0.5}"):
        told = f"{key.partition(':')[0]}: there is no initial model; name one in init_from"
        with pytest.raises(SettingsError, match=told):
            read_config(config_file(tmp_path, CLIPS + key + "\n"))


def test_scores_of_a_label_that_the_initial_model_lacks_cannot_be_kept(tmp_path: Path) -> None:
    content = CLIPS + "init_from: tcn\nkeep_scores: {Roar: 0.5}\n"
    with pytest.raises(SettingsError, match=r"keep_scores\.Roar: the labels are Rumble, Gunshot;"):
        read_config(config_file(tmp_path, content))


def test_an_initial_model_decides_labels_architecture_and_front_end(tmp_path: Path) -> None:
    config = read_config(config_file(tmp_path, CLIPS + "init_from: tcn\n"))
    assert (config.model.name, config.labels) == ("tcn", ("Rumble", "Gunshot"))
    with pytest.raises(SettingsError, match="init_from: tcn scores Rumble, Gunshot, which cannot"):
        read_config(config_file(tmp_path, CLIPS + "init_from: tcn\nlabels: [Rumble]\n"))


def test_any_number_of_labels_has_its_post_processing(tmp_path: Path) -> None:
    text = CLIPS + "labels: [Gunshot, Chainsaw, Trumpet]\n"
    config = read_config(config_file(tmp_path, text))
    assert list(config.post_processing) == ["Gunshot", "Chainsaw", "Trumpet"]
    assert config.post_processing["Chainsaw"].high_hz == config.front_end.rate / 2


def test_augmentation_can_be_switched_off(tmp_path: Path) -> None:
    config = read_config(config_file(tmp_path, CLIPS + "augment: none\n"))
    assert config.augment is None
    written = config_file(tmp_path, yaml.safe_dump(config.model_dump(mode="json")))
    assert read_config(written) == config


# Changes on the command line, and trials.


def test_a_value_can_be_set_for_one_run(tmp_path: Path) -> None:
    path = config_file(tmp_path, CLIPS + "model: {settings: {dropout: 0.2}}\n")
    config = read_config(
        path,
        [
            "epochs=3",
            "model.settings.channels=12",
            "optimiser.learning_rate=1e-3",
            "data.window_s=6",
        ],
    )
    assert (config.epochs, config.data.window_s) == (3, 6.0)
    assert config.model.settings == {"dropout": 0.2, "channels": 12}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("epochs", "write key=value"),
        ("epochs=many", "epochs"),
        ("epoch=3", "epoch: "),
        ("a.b=[", "YAML"),
    ],
)
def test_a_wrong_change_is_one_line(tmp_path: Path, change: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as error:
        read_config(config_file(tmp_path, CLIPS), [change])
    assert "\n" not in str(error.value)


def test_a_trial_has_its_own_data_output_and_changes(tmp_path: Path) -> None:
    text = (
        "data: {clips: data/resampled.parquet}\n"
        "output: runs/own\n"
        "dev: {epochs: 1, data: {window_s: 5}}\n"
    )
    config = read_config(config_file(tmp_path, text), dev=True)
    assert config.data.clips == Path("data/dev/resampled.parquet")
    assert config.output == Path("runs/own-dev")
    assert (config.epochs, config.data.window_s) == (1, 5.0)


@pytest.mark.parametrize(
    ("epochs", "steps", "decay"),
    [(10, 1000, 0.995), (20, 10, 0.95), (15, 12, 1 - 1 / 18), (1, 6, 0.0)],
)
def test_averaged_weights_of_a_short_run_forget_its_start(
    epochs: int, steps: int, decay: float, tmp_path: Path
) -> None:
    config = read_config(config_file(tmp_path, CLIPS), [f"epochs={epochs}"])
    assert ema_decay(config, steps) == pytest.approx(decay)
    assert decay ** (epochs * steps) < 1e-4
