"""What all models share: shapes, windows, loss, metrics and schedule; and what a default model can
do."""

from __future__ import annotations

import importlib.util
import math
import re
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.nn import functional

from loxo.augment import AugmentSettings
from loxo.events import EVENT_LABELS
from loxo.model_folder import load_spec
from loxo.models import (
    CRNN,
    MODELS,
    TCN,
    CRNNSettings,
    FeedforwardSettings,
    HTSATSettings,
    OptimiserSettings,
    TCNSettings,
    TransformerSettings,
)
from loxo.models.abstract_model import AbstractModel, binarize, max_over_bins
from loxo.scoring import Scorer
from loxo.spectrogram import FrontEnd
from loxo.training import build_model, train
from model_fixtures import FIXED, SMALL, TINY, noise, once, small, some_features
from training_fixtures import tiny_config

pytest_plugins = ("training_fixtures",)

ROOT = Path(__file__).parents[1]
RATE, HOP = 4000, 400


def model(settings: CRNNSettings = TINY) -> CRNN:
    torch.manual_seed(0)
    return CRNN(settings).eval()


def in_training(module: AbstractModel, **state: object) -> AbstractModel:
    """The model as if a trainer held it."""
    module.trainer = SimpleNamespace(training=True, global_step=0, global_rank=0, **state)  # type: ignore[assignment]  # the parts that hooks use
    return module


class FixedFeatures(nn.Module):
    """A front end with features that are set from outside."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = features

    def forward(self, _: Tensor) -> Tensor:
        return self.features


# Every architecture.


def test_the_tests_know_every_architecture() -> None:
    assert SMALL.keys() == MODELS.keys()
    assert all(type(SMALL[name]) is settings for name, (_, settings) in MODELS.items())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("seconds", "rest"), [(2, 50), (10, 0), (11, 1)])
def test_an_architecture_scores_each_frame_of_each_item_for_each_label(
    name: str, seconds: int, rest: int
) -> None:
    module, batch = once(name), 2
    waveform = noise(batch, seconds * RATE + rest)
    frames = module.front_end.grid.n_frames(seconds * RATE + rest)
    by_bins = {bins: module.infer(waveform, bins) for bins in (frames, seconds)}
    for bins, scores in by_bins.items():
        assert dict(zip(("batch", "label", "bin"), scores.shape, strict=True)) == {
            "batch": batch,
            "label": len(EVENT_LABELS),
            "bin": bins,
        }
        assert ((scores >= 0) & (scores <= 1)).all()
    torch.testing.assert_close(
        max_over_bins(by_bins[frames], seconds), by_bins[seconds], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("labels", [("Chainsaw",), ("Rumble", "Gunshot", "St. Chainsaw")])
def test_an_architecture_scores_as_many_labels_as_it_is_told(
    name: str, labels: tuple[str, ...]
) -> None:
    architecture: Any = MODELS[name][0]
    module: AbstractModel = architecture(SMALL[name], labels=labels).eval()
    assert module.infer(noise(2, 2 * RATE), 20).shape == (2, len(labels), 20)
    logits = module.frame_logits(some_features(module, 2))
    module.loss(logits, (noise(*logits.shape) > 0).float()).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    weights = [parameter for parameter in module.parameters() if parameter.ndim > 1]
    assert all(weight.grad is not None and weight.grad.any() for weight in weights)


@pytest.mark.parametrize("name", ["tcn", "crnn", "transformer", "feedforward"])
def test_an_architecture_is_well_under_a_million_parameters(name: str) -> None:
    architecture: Any = MODELS[name][0]
    assert 10_000 < sum(parameter.numel() for parameter in architecture().parameters()) < 500_000


@pytest.mark.parametrize("name", MODELS)
def test_gradients_reach_every_parameter(name: str) -> None:
    module = small(name).train()
    logits = module.frame_logits(some_features(module, 2))
    module.loss(logits, (noise(*logits.shape) > 0).float()).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert [
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ] == []


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_slopes(name: str) -> None:
    """Finite differences along a random direction of all parameters, in double precision."""
    module = small(name).double()
    features = some_features(module, 2).double()
    targets = (noise(2, 2, features.shape[-1]) > 0).double()
    parameters = list(module.parameters())
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(
                0.1 * torch.randn_like(parameter)
            )  # away from offsets of zero, where a rectifier has no slope
    steps = [1e-6 * torch.randn_like(parameter) for parameter in parameters]
    slopes = torch.autograd.grad(module.loss(module.frame_logits(features), targets), parameters)
    expected = sum((slope * step).sum().item() for slope, step in zip(slopes, steps, strict=True))
    losses = []
    with torch.no_grad():
        for sign in (1, -2):
            for parameter, step in zip(parameters, steps, strict=True):
                parameter.add_(sign * step)
            losses.append(module.loss(module.frame_logits(features), targets).item())
    assert (losses[0] - losses[1]) / 2 == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_logits_of_an_item_do_not_depend_on_its_neighbours_in_the_batch(name: str) -> None:
    module, features = once(name), some_features(once(name), 3)
    with torch.no_grad():
        together = module.network(features)
        alone = torch.cat([module.network(item[None]) for item in features])
        others = module.network(torch.cat([features[:1], 3 * features[1:] + 1]))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(others[:1], together[:1], rtol=0, atol=1e-5)
    assert (others[1:] - together[1:]).abs().max() > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_a_seed_decides_all_weights(name: str) -> None:
    first, second, other = (small(name, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", FIXED)
def test_longer_sounds_are_cut_into_windows_and_the_last_one_is_filled_with_silence(
    name: str,
) -> None:
    module = small(name)
    assert module.window_frames is not None
    features = some_features(module, 2, 2 * module.window_frames + module.window_frames // 4)
    module.spectrogram = FixedFeatures(features)  # type: ignore[assignment]  # a stand-in
    filled = functional.pad(features, (0, 3 * module.window_frames - features.shape[-1]))
    with torch.no_grad():
        windows = [
            module.network(window) for window in torch.split(filled, module.window_frames, dim=2)
        ]
        scores = module(torch.zeros(2, 1))
    steps = 9 * windows[0].shape[-1] // 4
    torch.testing.assert_close(
        scores, torch.cat(windows, dim=2)[..., :steps].sigmoid(), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("strides", [(1, 1), (1, 2), (2, 2)])
def test_scores_of_convolutions_depend_on_their_context_and_no_further(
    strides: tuple[int, int],
) -> None:
    """If a frame changes, scores change nearly as far away as the context says, and no further."""
    module = TCN(replace(SMALL["tcn"], strides=strides)).eval()
    step, context = math.prod(strides), module.context_frames
    assert context % step == 0
    features = some_features(module, 1, 6 * context)
    seen: set[int] = set()
    with torch.no_grad():
        before = module.frame_logits(features)
        for place in range(3 * context, 3 * context + step):
            changed = features.clone()
            changed[..., place] += 10
            moved = (module.frame_logits(changed) - before).abs().amax(
                dim=(0, 1)
            ).nonzero().flatten() - place
            seen |= set(moved.tolist())
    assert -context <= min(seen) < -context + 2 * step
    assert context - 2 * step < max(seen) <= context


# A new architecture.


def test_a_new_architecture_is_a_class_and_a_line_of_the_table(
    clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loudness(AbstractModel):
        """A weighted sum of the bands; it answers every second frame, and takes 20 at a time."""

        window_frames, context_frames = 20, 4

        def __init__(
            self,
            settings: CRNNSettings,
            front_end: FrontEnd | None = None,
            optimiser: OptimiserSettings | None = None,
            labels: tuple[str, ...] = EVENT_LABELS,
            augment: AugmentSettings | None = None,
            seed: int = 0,
        ) -> None:
            super().__init__(front_end, optimiser, labels, augment, seed)
            self.mix = nn.Conv1d(
                self.front_end.n_bands,
                len(labels),
                settings.channels,
                stride=2,
                padding=settings.channels // 2 - 1,
            )

        def network(self, features: Tensor) -> Tensor:
            logits: Tensor = self.mix(features)
            return logits

    monkeypatch.setitem(MODELS, "loudness", (Loudness, CRNNSettings))
    folder = train(
        tiny_config(
            clip_set, tmp_path / "run", model={"name": "loudness", "settings": {"channels": 4}}
        )
    )
    spec = load_spec(folder)
    assert (spec.name, spec.window_frames, spec.context_frames) == ("loudness", 20, 4)
    values = Scorer(folder, threads=1).score([noise(1, 70 * HOP - 5)[0].numpy()]).values
    assert values.shape == (70, 2)
    assert np.unique(values, axis=0).shape == (35, 2)


def test_the_architecture_of_the_documentation_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "new-model.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (name, line) = re.findall(r'^    "(\w+)": \((.*)\),$', text, re.MULTILINE)[0]
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(importlib.sys.modules, name, module)  # type: ignore[attr-defined]  # dataclasses look a class's module up
    spec.loader.exec_module(module)
    architecture, settings = (getattr(module, part) for part in line.split(", "))
    monkeypatch.setitem(MODELS, name, (architecture, settings))
    model = build_model(
        tiny_config(tmp_path / "none", tmp_path, model={"name": name, "settings": {"layers": 3}})
    )
    assert model.infer(noise(2, 3 * RATE), 30).shape == (2, 2, 30)
    silence = some_features(model, 1, 41).zero_()
    changed = silence.clone()
    changed[..., 20] = 1
    with torch.no_grad():
        heard = (model.network(changed) - model.network(silence)).abs().amax(dim=(0, 1))
    reach = heard.nonzero().flatten() - 20
    assert 0 < -int(reach.min()) == int(reach.max()) <= model.context_frames


# The default model.


@pytest.mark.parametrize(
    "waveform",
    [
        torch.zeros(2, RATE),
        torch.ones(2, RATE),
        noise(2, RATE) * 1e-6,
        noise(2, RATE) * 1e3,
        noise(2, 1),
    ],
)
def test_scores_are_probabilities_of_any_sound(waveform: Tensor) -> None:
    scores = model()(waveform)
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("shape", [(RATE,), (2, 1, RATE)])
def test_a_waveform_of_other_axes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(batch, sample\)"):
        model()(torch.zeros(shape))


def test_scores_of_an_item_do_not_depend_on_its_neighbours_in_the_batch() -> None:
    module, waveform = model(), noise(4, 3 * RATE) * torch.tensor([[1e-3], [1.0], [30.0], [0.1]])
    with torch.no_grad():
        together = module(waveform)
        alone = torch.cat([module(waveform[i : i + 1]) for i in range(len(waveform))])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert together.std(dim=0).max() > 1e-4


def test_gain_does_not_change_the_scores() -> None:
    module, waveform = model(CRNNSettings()), 0.01 * noise(1, 10 * RATE)
    waveform[0, 5 * RATE : 6 * RATE] += torch.sin(2 * math.pi * 20 * torch.arange(RATE) / RATE)
    with torch.no_grad():
        scores = module(waveform)
        for gain in (0.03, 0.5, 7.0):
            torch.testing.assert_close(module(gain * waveform), scores, rtol=0, atol=1e-3)


# The loss.

LOSSES = [
    OptimiserSettings(),
    OptimiserSettings(focal_gamma=2.0),
    OptimiserSettings(focal_gamma=0.5, positive_weight={"Rumble": 2.0, "Gunshot": 7.0}),
]


@pytest.mark.parametrize("settings", LOSSES)
def test_targets_in_doubt_do_not_move_the_loss(settings: OptimiserSettings) -> None:
    module = CRNN(TINY, optimiser=settings)
    logits, other = noise(2, 2, 7, seed=1).requires_grad_(), noise(2, 2, 7, seed=2)
    targets = (noise(2, 2, 7, seed=3) > 0).float()
    doubt = noise(2, 2, 7, seed=4) > 0
    targets[doubt] = torch.nan
    loss = module.loss(logits, targets)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert logits.grad is not None
    assert (logits.grad[doubt] == 0).all()
    assert (logits.grad[~doubt] != 0).all()
    assert module.loss(torch.where(doubt, other, logits), targets) == loss


@pytest.mark.parametrize("settings", LOSSES)
def test_a_batch_that_is_all_in_doubt_has_no_loss_and_no_gradient(
    settings: OptimiserSettings,
) -> None:
    logits = noise(2, 2, 7).requires_grad_()
    loss = CRNN(TINY, optimiser=settings).loss(logits, torch.full((2, 2, 7), torch.nan))
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert loss == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("weight", [1.0, 4.0, {"Gunshot": 3.0, "Rumble": 0.5}])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_loss_is_the_focused_cross_entropy_of_the_known_targets(
    weight: float | dict[str, float], gamma: float
) -> None:
    module = CRNN(TINY, optimiser=OptimiserSettings(positive_weight=weight, focal_gamma=gamma))
    logits = [[-1.5, 0.25, 2.0, 3.0], [0.1, -4.0, 1.0, 5.0]]
    targets = [[0.0, 0.75, 1.0, math.nan], [1.0, 0.0, math.nan, 0.0]]
    expected = []
    for row, label in enumerate(EVENT_LABELS):
        positive = weight[label] if isinstance(weight, dict) else weight
        for logit, t in zip(logits[row], targets[row], strict=True):
            p = 1 / (1 + math.exp(-logit))
            if not math.isnan(t):
                expected.append(
                    -(positive * t * math.log(p) + (1 - t) * math.log(1 - p)) * abs(t - p) ** gamma
                )
    assert module.loss(torch.tensor([logits]), torch.tensor([targets])).item() == pytest.approx(
        sum(expected) / 6, rel=1e-5
    )


@given(st.integers(0, 99))
def test_without_gamma_the_loss_is_plain_cross_entropy(seed: int) -> None:
    logits, targets = 5 * noise(3, 2, 9, seed=seed), noise(3, 2, 9, seed=seed + 1).sigmoid()
    plain = functional.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(once("crnn").loss(logits, targets), plain)


def test_focal_loss_reduces_the_loss_of_right_answers_more() -> None:
    """With a gamma of 2 an answer of .9 counts a hundredth of its cross-entropy, one of .1 counts
    .81 (Lin et al. 2017)."""
    focused = CRNN(TINY, optimiser=OptimiserSettings(focal_gamma=2.0))
    plain = CRNN(TINY)
    for chance in (0.9, 0.1):
        logits, targets = torch.full((1, 2, 1), chance).logit(), torch.ones(1, 2, 1)
        assert (
            focused.loss(logits, targets) / plain.loss(logits, targets)
        ).item() == pytest.approx((1 - chance) ** 2, rel=1e-4)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_a_saturated_answer_has_a_finite_slope(gamma: float) -> None:
    logits = torch.tensor([[[-200.0, 200.0], [-200.0, 200.0]]], requires_grad=True)
    targets = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    CRNN(TINY, optimiser=OptimiserSettings(focal_gamma=gamma)).loss(logits, targets).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[0, 0] == 0).all()
    assert (logits.grad[0, 1] != 0).all()


# Bins and metrics.


def test_a_second_is_positive_if_a_frame_is_and_else_in_doubt_if_a_frame_is() -> None:
    nan = torch.nan
    targets = torch.tensor([[[0, 0, 0.5, nan, 0, nan, 0.4, 0, nan, nan]]])
    assert binarize(targets, 5).tolist() == [[[0, 1, -1, 0, -1]]]
    assert binarize(targets, 10).tolist() == [[[0, 0, 1, -1, 0, -1, 0, 0, -1, -1]]]


class Fixed(AbstractModel):
    """A model whose logits are set from outside."""

    logits: Tensor

    def network(self, _: Tensor) -> Tensor:
        return self.logits


@pytest.mark.parametrize("labels", [("Saw no. 1",), EVENT_LABELS, (*EVENT_LABELS, "Chainsaw")])
def test_validation_measures_seconds_over_all_labels_and_frames_for_each(
    labels: tuple[str, ...],
) -> None:
    module = Fixed(labels=labels)
    seconds, frames = 6, 60
    module.logits = 3 * noise(2, len(labels), frames, seed=1) - 5
    targets = (noise(2, len(labels), frames, seed=2) > 1.6).float()
    targets[:, :, 20:30] = torch.nan
    logged: dict[str, Any] = {}
    module.log = lambda name, value, **_: logged.update({name: value})  # type: ignore[method-assign]  # no trainer is there
    module.validation_step((noise(2, seconds * RATE), targets), 0)

    found = torch.unflatten(module.logits, 2, (seconds, -1)).amax(dim=3) > 0
    true = torch.unflatten(targets, 2, (seconds, -1)).amax(dim=3) == 1
    known = torch.arange(seconds) != 2
    hits, false = (found & true)[..., known].sum().item(), (found & ~true)[..., known].sum().item()
    missed, rejected = (
        (~found & true)[..., known].sum().item(),
        (~found & ~true)[..., known].sum().item(),
    )
    assert min(hits, false, missed, rejected) > 0
    expected = {
        "accuracy": (hits + rejected) / (hits + false + missed + rejected),
        "precision": hits / (hits + false),
        "recall": hits / (hits + missed),
        "f1": 2 * hits / (2 * hits + false + missed),
    }
    for name, value in expected.items():
        assert logged[f"validation_{name}"].compute().item() == pytest.approx(value)

    seen = ~targets[0, 0].isnan()
    for row, label in enumerate(labels):
        scores, answers = module.logits[:, row, seen].flatten(), targets[:, row, seen].flatten()
        ranked = answers[scores.argsort(descending=True)]
        precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
        assert logged[f"validation_ap_{label}"].compute().item() == pytest.approx(
            (precision * ranked).sum().item() / ranked.sum().item()
        )
    assert logged["validation_loss"] == module.loss(module.logits, targets)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_a_bin_is_as_high_as_the_highest_frame_in_it(bins: int, frames: int, seed: int) -> None:
    logits = noise(2, 2, frames, seed=seed)
    edges = [(i * frames // bins, -(-(i + 1) * frames // bins)) for i in range(bins)]
    expected = torch.stack([logits[..., first:last].amax(dim=-1) for first, last in edges], dim=-1)
    assert torch.equal(max_over_bins(logits, bins), expected)


def test_one_batch_can_be_overfitted() -> None:
    """Low tones for rumbles, bursts of noise for gunshots: the network can separate them."""
    waveform, targets = 0.02 * noise(4, 4 * RATE), torch.zeros(4, 2, 40)
    tone = torch.sin(2 * math.pi * 20 * torch.arange(RATE) / RATE)
    for item, start_s in enumerate((1, 2)):
        waveform[item, start_s * RATE : (start_s + 1) * RATE] += tone
        targets[item, 0, start_s * 10 : (start_s + 1) * 10] = 1
        waveform[item + 2, start_s * RATE : (start_s + 1) * RATE] += noise(RATE, seed=item)
        targets[item + 2, 1, start_s * 10 : (start_s + 1) * 10] = 1
    module = model(CRNNSettings(stem_channels=(8, 8), channels=16, hidden=8, dropout=0.0)).train()
    optimiser = torch.optim.AdamW(module.parameters(), lr=0.02)
    features = module.spectrogram(waveform)
    losses = []
    for _ in range(40):
        loss = module.loss(module.network(features), targets)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 < losses[0]


def crop_only(**how: float) -> AugmentSettings:
    """Augmentation that only crops batches."""
    off = {field.name: {"share": 0.0} for field in fields(AugmentSettings)}
    return TypeAdapter(AugmentSettings).validate_python(off | {"crop": {"share": 1.0, **how}})


def test_a_crop_keeps_waveform_and_targets_together() -> None:
    """Every sample holds the number of its bin, and so does every target."""
    module = in_training(CRNN(TINY, augment=crop_only(shortest=0.1)))
    numbers = torch.arange(60.0)
    lengths = set()
    for step in range(20):
        module.trainer.global_step = step  # type: ignore[misc]  # the stand-in has it as a plain attribute
        waveform, targets = module.on_before_batch_transfer(
            (numbers.repeat_interleave(HOP).expand(3, -1), numbers.expand(3, 2, -1)), 0
        )
        assert torch.equal(
            waveform.reshape(3, -1, HOP), targets[:, :1].transpose(1, 2).expand(3, -1, HOP)
        )
        lengths.add(targets.shape[-1])
    assert min(lengths) >= 6
    assert len(lengths) > 5


def test_a_crop_depends_on_the_seed_and_the_step_alone_and_spares_validation() -> None:
    batch = (noise(2, 60 * HOP), torch.zeros(2, 2, 60))
    assert in_training(CRNN(TINY)).on_before_batch_transfer(batch, 0) is batch
    module = in_training(CRNN(TINY, augment=crop_only(), seed=5))
    first = module.on_before_batch_transfer(batch, 0)[0]
    torch.manual_seed(99)
    assert torch.equal(module.on_before_batch_transfer(batch, 0)[0], first)
    other = in_training(CRNN(TINY, augment=crop_only(), seed=6))
    assert other.on_before_batch_transfer(batch, 0)[0].shape != first.shape
    module.trainer.training = False
    assert module.on_before_batch_transfer(batch, 0) is batch


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 19, 20, 21, 40, 200])
def test_the_learning_rate_rises_and_falls_over_any_number_of_steps(
    steps: int, share: float
) -> None:
    settings = OptimiserSettings(learning_rate=0.01, warm_up_share=share)
    module = in_training(CRNN(TINY, optimiser=settings), estimated_stepping_batches=steps)
    made = module.configure_optimizers()
    assert isinstance(made, dict)
    optimiser, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]  # type: ignore[typeddict-item]  # this model gives both
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert min(rates) > 0
    assert max(rates) <= 0.01
    if steps >= 3:
        assert max(rates) > 0.0095
    if steps >= 40 and share <= 0.5:
        assert rates[0] < 0.001
        assert rates[-1] < 0.001


def test_weight_decay_is_of_matrices_and_not_of_vectors() -> None:
    module = in_training(
        CRNN(TINY, optimiser=OptimiserSettings(weight_decay=0.3)), estimated_stepping_batches=100
    )
    made = module.configure_optimizers()
    assert isinstance(made, dict)
    groups = made["optimizer"].param_groups
    decays = {
        id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]
    }
    assert {decays[id(parameter)] for parameter in module.parameters() if parameter.ndim > 1} == {
        0.3
    }
    assert {decays[id(parameter)] for parameter in module.parameters() if parameter.ndim <= 1} == {
        0.0
    }


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"stem_channels": ()}, r"\(\)"),
        ({"stem_channels": (4, 0)}, r"\(4, 0\)"),
        ({"channels": 0}, "channels 0"),
        ({"hidden": -1}, "hidden -1"),
        ({"dropout": 1.0}, "dropout 1.0"),
        ({"dropout": np.nan}, "dropout nan"),
    ],
)
def test_impossible_networks_are_refused(changes: dict[str, object], value: str) -> None:
    with pytest.raises(ValueError, match=value):
        CRNNSettings(**changes)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("settings", "changes", "value"),
    [
        (TCNSettings, {"stem_channels": (4, 0, 4)}, r"channels \(4, 0, 4\)"),
        (TCNSettings, {"dilations": (1, 0)}, r"dilations \(1, 0\)"),
        (
            TCNSettings,
            {"strides": (2,)},
            r"strides \(2,\) must be one fewer than stem_channels \(32, 64, 96\)",
        ),
        (TCNSettings, {"dropout": 1.0}, "dropout 1.0"),
        (TransformerSettings, {"window_frames": 99}, "window 99 must be whole patches of 2 frames"),
        (TransformerSettings, {"width": 90}, "width 90 even and a multiple of 4 heads"),
        (TransformerSettings, {"width": 3, "heads": 1}, "width 3 even"),
        (TransformerSettings, {"layers": 0}, "layers 0"),
        (
            TransformerSettings,
            {"context_frames": 50},
            "50 frames at either side leaves nothing of 100",
        ),
        (TransformerSettings, {"dropout": -0.1}, "dropout -0.1"),
        (FeedforwardSettings, {"neighbours": -1}, "neighbours -1"),
        (FeedforwardSettings, {"hidden": ()}, r"hidden \(\)"),
        (FeedforwardSettings, {"hidden": (4, 0)}, r"hidden \(4, 0\)"),
        (FeedforwardSettings, {"dropout": 1.0}, "dropout 1.0"),
        (HTSATSettings, {"depths": (2, 2, 6)}, r"four depths \(2, 2, 6\)"),
        (HTSATSettings, {"heads": (4, 8, 16, 0)}, r"four heads \(4, 8, 16, 0\)"),
        (HTSATSettings, {"embed_dim": 10}, "embed_dim 10 times 1, 2, 4, 8"),
        (HTSATSettings, {"dropout": 1.0}, "dropout 1.0"),
        (HTSATSettings, {"context_s": 5.0}, r"context 5.0 s in \[0, 5\)"),
    ],
)
def test_impossible_settings_are_refused(
    settings: type, changes: dict[str, object], value: str
) -> None:
    with pytest.raises(ValueError, match=value):
        settings(**changes)


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"learning_rate": 0.0}, "learning rate 0.0"),
        ({"positive_weight": -1.0}, "positive weight -1.0"),
        ({"positive_weight": {"Rumble": 1.0, "Gunshot": 0.0}}, "must be positive"),
        ({"weight_decay": -0.1}, "weight decay -0.1"),
        ({"warm_up_share": 1.5}, "warm-up share 1.5"),
        ({"focal_gamma": -1.0}, "focal gamma -1.0"),
        ({"focal_gamma": math.nan}, "focal gamma nan"),
    ],
)
def test_impossible_optimisers_are_refused(changes: dict[str, Any], value: str) -> None:
    with pytest.raises(ValueError, match=value):
        OptimiserSettings(**changes)


def test_positive_weights_are_one_for_each_label_or_the_same_for_all() -> None:
    labels = ("Rumble", "Gunshot", "Chainsaw")
    assert OptimiserSettings(positive_weight=3.0).positive_weights(labels) == (3.0, 3.0, 3.0)
    each = OptimiserSettings(positive_weight={"Chainsaw": 5.0, "Rumble": 2.0, "Gunshot": 4.0})
    assert each.positive_weights(labels) == (2.0, 4.0, 5.0)
    with pytest.raises(
        ValueError, match="weights for Chainsaw, Rumble, Gunshot; give one for each of Rumble, Gun"
    ):
        CRNN(TINY, optimiser=each)
    assert CRNN(TINY, None, each, labels).positive_weights == (2.0, 4.0, 5.0)


@pytest.mark.parametrize("n_frames", [1, 64, 101])
def test_a_step_of_two_frames_has_a_score_for_each(n_frames: int) -> None:
    module = model(replace(TINY, step_frames=2))
    features = torch.randn(
        2, module.front_end.n_bands, n_frames, generator=torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        answers, frames = module.network(features), module.frame_logits(features)
    assert answers.shape == (2, 2, n_frames + n_frames % 2)
    torch.testing.assert_close(frames, answers[..., :n_frames])


def test_steps_of_several_frames_need_a_second_convolution() -> None:
    with pytest.raises(ValueError, match="need a second convolution"):
        replace(TINY, stem_channels=(4,), step_frames=2)
