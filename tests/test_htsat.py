"""HTS-AT: its front end, the shape and the order of its scores, and its pretrained trunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import ClapAudioConfig, ClapAudioModel, ClapConfig, ClapModel
from transformers.audio_utils import mel_filter_bank

from loxo.models import HTSAT, MODELS, HTSATSettings, OptimiserSettings
from loxo.models.htsat import load_trunk
from loxo.spectrogram import FrontEnd, filter_bank, spectrogram
from loxo.training import ModelConfig, TrainingConfig, build_model, read_config, train
from model_fixtures import SMALL, noise, once, small, some_features
from training_fixtures import tiny_config

pytest_plugins = ("training_fixtures",)

CONFIG = Path(__file__).parents[1] / "configs" / "htsat.yaml"
AT_4_KHZ = HTSAT.FRONT_END
AT_8_KHZ = FrontEnd(
    rate=8000,
    hop=80,
    long=replace(AT_4_KHZ.long, window=3200),
    short=replace(AT_4_KHZ.short, window=640, high_hz=3800.0, ratio=1.19),
)


# The front end.


def test_its_bands_rise_without_a_gap_from_below_the_lowest_rumble_to_the_highest_gunshot() -> None:
    centres = AT_4_KHZ.band_centres_hz
    assert centres[:15].tolist() == [5.0 + 2.5 * band for band in range(15)]
    assert centres[15:].round().tolist() == [
        42, 45, 47, 50, 53, 56, 59, 63, 66, 70, 74, 78, 83, 87, 93, 98, 103, 109, 116, 122, 129,
        137, 145, 153, 162, 171, 181, 191, 202, 214, 226, 239, 253,
        270, 307, 350, 398, 453, 515, 586, 667, 759, 864, 984, 1119, 1274, 1449, 1650, 1877,
    ]  # fmt: skip
    assert len(centres) == 64
    assert ((centres >= 8) & (centres <= 35)).sum() == 11
    assert (np.diff(centres) > 0).all()
    assert (centres[1:] / centres[:-1])[centres[1:] > 40].max() < 1.14


@pytest.mark.parametrize("front_end", [AT_4_KHZ, AT_8_KHZ], ids=["4 kHz", "8 kHz"])
def test_no_filter_is_empty_and_a_tone_is_strongest_in_its_own_band(front_end: FrontEnd) -> None:
    assert front_end.n_bands == 64
    assert all(
        (filter_bank(bands, front_end.rate) > 0).any(axis=0).all()
        for bands in (front_end.long, front_end.short)
    )
    seconds = 4
    quiet = 1e-3 * np.random.default_rng(0).standard_normal(
        3 * seconds * front_end.rate, np.float32
    )
    for band, centre in enumerate(front_end.band_centres_hz):
        waveform = quiet.copy()
        time = np.arange(seconds * front_end.rate) / front_end.rate
        waveform[len(time) : 2 * len(time)] += 0.1 * np.sin(2 * np.pi * centre * time)
        features = spectrogram(waveform, front_end)
        middle = features[:, features.shape[1] // 2]
        assert abs(int(middle.argmax()) - band) <= 1
        assert middle[band] > 0.9 * middle.max()


def test_mel_bands_of_published_trunks_would_be_half_empty_and_too_high_for_rumbles() -> None:
    """64 mel bands from 50 Hz to 14 kHz, as of the published trunks, at a rate of 4 kHz."""
    bank = mel_filter_bank(513, 64, 50.0, 14_000.0, 28_000, norm=None, mel_scale="slaney")
    frequencies = np.linspace(0, 14_000, 513)
    live = (bank[frequencies <= 2000] > 0).any(axis=0)
    assert live.sum() == 31
    assert frequencies[bank.any(axis=1)].min() > 50


@pytest.mark.parametrize(
    "changes", [{"hop": 80}, {"hop": 20}, {"short": replace(AT_4_KHZ.short, ratio=1.2)}]
)
def test_a_front_end_of_another_size_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError,
        match=r"^htsat takes 64 bands and up to 1,024 frames in 10 s, not .* set front_end as in",
    ):
        HTSAT(SMALL["htsat"], replace(AT_4_KHZ, **changes))


def test_the_front_end_of_the_class_is_that_of_its_configuration_and_the_default() -> None:
    assert read_config(CONFIG).front_end == AT_4_KHZ
    for name, (architecture, _) in MODELS.items():
        default = TrainingConfig.model_validate(
            {"model": {"name": name}, "data": {"clips": "clips.parquet"}}
        )
        assert default.front_end == architecture.FRONT_END


# Its scores.


@pytest.mark.parametrize("front_end", [AT_4_KHZ, AT_8_KHZ], ids=["4 kHz", "8 kHz"])
def test_ten_seconds_have_1024_steps_of_32_tokens(front_end: FrontEnd) -> None:
    module = HTSAT(SMALL["htsat"], front_end).eval()
    with torch.no_grad():
        scores = module(noise(2, 10 * front_end.rate))
    assert dict(zip(("batch", "label", "step"), scores.shape, strict=True)) == {
        "batch": 2,
        "label": 2,
        "step": 1024,
    }
    tokens = scores.unflatten(2, (32, 32))
    assert torch.equal(tokens, tokens[..., :1].expand_as(tokens))
    assert (tokens.diff(dim=2) != 0).all()
    assert module.infer(noise(2, 10 * front_end.rate)).shape == (2, 2, 10)
    assert module.window_frames == 1000


def test_its_trunk_is_that_of_the_published_models() -> None:
    module = HTSAT().eval()
    with torch.no_grad():
        state = module.trunk(noise(1, 1, 1000, 64)).last_hidden_state
    assert state.shape == (1, 768, 2, 32)
    assert {name: tuple(p.shape) for name, p in module.head.named_parameters()} == {
        "weight": (2, 768, 2, 3),
        "bias": (2,),
    }
    published = ClapAudioConfig()
    assert {
        name: value
        for name, value in module.trunk.config.to_dict().items()
        if value != published.to_dict()[name]
    } == {}


def test_a_token_depends_mostly_on_its_own_time() -> None:
    """The trunk folds time into an image; its tokens are in the order of time again."""
    module = once("htsat")
    features = some_features(module, 1).requires_grad_()
    logits = module.network(features)
    for token in (0, 3, 9, 16, 23, 31):
        (slope,) = torch.autograd.grad(logits[0, :, 32 * token].sum(), features, retain_graph=True)
        weight = slope[0].abs().sum(dim=0)
        own = weight[round(31.25 * token) : round(31.25 * (token + 1))].sum() / weight.sum()
        assert own > 0.3


# Training.


def test_averaging_weights_leaves_the_position_index_of_attention_unchanged() -> None:
    """As buffers these integers would be averaged and rounded: at a decay of .9 a quarter of them
    would be wrong after one step."""
    module = small("htsat")
    averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)  # type: ignore[no-untyped-call]
    for _ in range(5):
        averaged.update_parameters(module)
    layers: list[Any] = [
        layer for layer in averaged.modules() if hasattr(layer, "relative_position_index")
    ]
    assert len(layers) == sum(SMALL["htsat"].depths)
    for layer in layers:
        assert torch.equal(layer.relative_position_index, layer.create_relative_position_index())


def test_a_small_one_trains(
    clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "loxo.models.exporting.export_network", lambda _, path: path.write_bytes(b"network")
    )
    settings = {"embed_dim": 8, "depths": [1, 1, 2, 1], "heads": [2, 2, 2, 2]}
    optimiser = {
        "learning_rate": 1e-3,
        "focal_gamma": 2,
        "positive_weight": {"Rumble": 2, "Gunshot": 4},
    }
    changes = {
        "model": {"name": "htsat", "settings": settings},
        "optimiser": optimiser,
        "epochs": 1,
    }
    folder = train(tiny_config(clip_set, tmp_path / "run", **changes))
    assert '"window_frames": 1000' in (folder / "spec.json").read_text(encoding="utf-8")
    assert (folder / "weights.safetensors").stat().st_size > 100_000


# Its pretrained trunk.

SIZES: dict[str, Any] = {
    "patch_embeds_hidden_size": 8,
    "hidden_size": 64,
    "depths": (1, 1, 2, 1),
    "num_attention_heads": (2, 2, 2, 2),
}


def pretrained(folder: Path, *, whole: bool) -> Mapping[str, Tensor]:
    """Weights of a trunk, saved alone or in a whole CLAP model, as the published ones are."""
    torch.manual_seed(5)
    text = {
        "vocab_size": 9,
        "hidden_size": 4,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 4,
    }
    model: Any = (
        ClapModel(ClapConfig(audio_config=SIZES, text_config=text, projection_dim=4))
        if whole
        else ClapAudioModel(ClapAudioConfig(**SIZES))
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    trunk: Mapping[str, Tensor] = (model.audio_model if whole else model).state_dict()
    folder.mkdir()
    save_file(
        {
            name: tensor.half() if tensor.is_floating_point() else tensor
            for name, tensor in model.state_dict().items()
        },
        folder / "model.safetensors",
    )
    return trunk


@pytest.mark.parametrize("whole", [False, True])
def test_a_pretrained_trunk_is_loaded_without_the_statistics_of_its_bands(
    tmp_path: Path, whole: bool
) -> None:
    given = pretrained(tmp_path / "trunk", whole=whole)
    trunk = load_trunk(replace(SMALL["htsat"], pretrained=str(tmp_path / "trunk")))
    for name, parameter in trunk.named_parameters():
        if "batch_norm" not in name:
            torch.testing.assert_close(parameter, given[name], rtol=1e-3, atol=1e-6)
            assert parameter.dtype == torch.float32
    norm = trunk.audio_encoder.batch_norm
    assert norm.weight.eq(1).all()
    assert norm.running_mean is not None
    assert norm.running_mean.eq(0).all()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [({"embed_dim": 16}, "weights are missing or differ"), ({"depths": (1, 1, 4, 1)}, "differ")],
)
def test_a_trunk_of_other_sizes_is_refused(
    tmp_path: Path, sizes: dict[str, Any], expected: str
) -> None:
    pretrained(tmp_path / "trunk", whole=True)
    settings = replace(SMALL["htsat"], pretrained=str(tmp_path / "trunk"), **sizes)
    with pytest.raises(
        OSError,
        match=f"trunk: not a trunk of these sizes, .* {expected}.* set embed_dim, depths and",
    ) as error:
        load_trunk(settings)
    assert "\n" not in str(error.value)


def test_a_missing_trunk_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04K\x01.")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"\xff" * 64)
    for name in (
        str(tmp_path / "none"),
        str(tmp_path / "pickled"),
        str(tmp_path / "damaged"),
        "nobody/no-such-trunk",
    ):
        for local_files_only in (False, True):
            with pytest.raises(
                OSError,
                match=f"^{name}: no pretrained trunk: give a folder with model.safetensors",
            ) as error:
                load_trunk(
                    replace(SMALL["htsat"], pretrained=name, local_files_only=local_files_only)
                )
            assert "\n" not in str(error.value)


def test_the_optimiser_and_the_seed_of_a_configuration_reach_it() -> None:
    config = read_config(CONFIG).model_copy(
        update={
            "model": ModelConfig(name="htsat", settings={"embed_dim": 8, "heads": [2, 2, 2, 2]}),
            "seed": 4,
        }
    )
    module = build_model(config)
    assert isinstance(module, HTSAT)
    assert module.optimiser == OptimiserSettings(
        1e-4, 0.05, 0.1, {"Rumble": 2.0, "Gunshot": 4.0}, 0.0
    )
    assert module.seed == 4
    assert HTSATSettings().pretrained == ""
