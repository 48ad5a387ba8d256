"""What all models share: shapes, loss, metrics and schedule; and what a default model can do."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from loxo.augment import CropSettings
from loxo.events import EVENT_LABELS
from loxo.models import CRNN, MODELS, CRNNSettings, OptimiserSettings
from loxo.models.abstract_model import AbstractModel, pooled

RATE, HOP = 4000, 400
TINY = CRNNSettings(channels=(4, 4), joined=8, hidden=4)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def model(settings: CRNNSettings = TINY) -> CRNN:
    torch.manual_seed(0)
    return CRNN(settings).eval()


def in_training(module: AbstractModel, **state: object) -> AbstractModel:
    """The model as if a trainer held it."""
    module.trainer = SimpleNamespace(training=True, global_step=0, **state)  # type: ignore[assignment]  # what the hooks ask of it
    return module


@pytest.mark.parametrize("name", MODELS)
def test_an_architecture_answers_each_frame_of_each_item_for_each_class(name: str) -> None:
    architecture, settings = MODELS[name]
    module = architecture(settings()).eval()
    batch, seconds, rest = 3, 2, 50
    with torch.no_grad():
        scores = module(noise(batch, seconds * RATE + rest))
    assert dict(zip(("batch", "class", "frame"), scores.shape, strict=True)) == {
        "batch": batch,
        "class": len(EVENT_LABELS),
        "frame": seconds * RATE // HOP + 1,
    }


@pytest.mark.parametrize("name", MODELS)
def test_an_architecture_is_well_under_a_million_parameters(name: str) -> None:
    architecture, settings = MODELS[name]
    assert 10_000 < sum(parameter.numel() for parameter in architecture(settings()).parameters()) < 500_000


@pytest.mark.parametrize("waveform", [torch.zeros(2, RATE), torch.ones(2, RATE), noise(2, RATE) * 1e-6, noise(2, RATE) * 1e3, noise(2, 1)])
def test_scores_are_probabilities_of_any_sound(waveform: Tensor) -> None:
    scores = model()(waveform)
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("shape", [(RATE,), (2, 1, RATE)])
def test_a_waveform_of_other_axes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(batch, sample\)"):
        model()(torch.zeros(shape))


def test_the_score_of_an_item_does_not_depend_on_its_neighbours() -> None:
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


def test_targets_in_doubt_do_not_move_the_loss() -> None:
    module = model()
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


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_the_loss_is_the_cross_entropy_of_the_known_targets(weight: float) -> None:
    module = CRNN(TINY, optimiser=OptimiserSettings(positive_weight=weight))
    logits, targets = [-1.5, 0.25, 2.0, 3.0], [0.0, 0.75, 1.0, math.nan]
    chances = [1 / (1 + math.exp(-value)) for value in logits[:3]]
    expected = [-(weight * t * math.log(p) + (1 - t) * math.log(1 - p)) for p, t in zip(chances, targets, strict=False)]
    assert module.loss(torch.tensor([[logits]]), torch.tensor([[targets]])).item() == pytest.approx(sum(expected) / 3, rel=1e-5)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_a_bin_is_as_high_as_the_highest_frame_in_it(bins: int, frames: int, seed: int) -> None:
    logits = noise(2, 2, frames, seed=seed)
    edges = [(i * frames // bins, -(-(i + 1) * frames // bins)) for i in range(bins)]
    expected = torch.stack([logits[..., first:last].amax(dim=-1) for first, last in edges], dim=-1)
    assert torch.equal(pooled(logits, bins), expected)


def test_gradients_reach_every_parameter() -> None:
    module = model(CRNNSettings()).train()
    module.loss(module.network(module.spectrogram(noise(2, 4 * RATE))), torch.ones(2, 2, 40)).backward()  # type: ignore[no-untyped-call]
    assert [name for name, parameter in module.named_parameters() if parameter.grad is None or not parameter.grad.any()] == []


def test_one_batch_can_be_learnt_by_heart() -> None:
    """Low tones for a rumble, bursts for a shot: what the front end shows, the network can tell apart."""
    waveform, targets = 0.02 * noise(4, 4 * RATE), torch.zeros(4, 2, 40)
    tone = torch.sin(2 * math.pi * 20 * torch.arange(RATE) / RATE)
    for item, start_s in enumerate((1, 2)):
        waveform[item, start_s * RATE : (start_s + 1) * RATE] += tone
        targets[item, 0, start_s * 10 : (start_s + 1) * 10] = 1
        waveform[item + 2, start_s * RATE : (start_s + 1) * RATE] += noise(RATE, seed=item)
        targets[item + 2, 1, start_s * 10 : (start_s + 1) * 10] = 1
    module = model(CRNNSettings(channels=(8, 8), joined=16, hidden=8, dropout=0.0)).train()
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


def test_a_crop_keeps_waveform_and_targets_together() -> None:
    """Every sample holds the number of its bin, and so does every target."""
    module = in_training(model())
    module.crop = CropSettings(share=1.0, shortest=0.1)
    numbers = torch.arange(60.0)
    lengths = set()
    for step in range(20):
        module.trainer.global_step = step  # type: ignore[misc]  # the stand-in has it as a plain attribute
        waveform, targets = module.on_after_batch_transfer((numbers.repeat_interleave(HOP).expand(3, -1), numbers.expand(3, 2, -1)), 0)
        assert torch.equal(waveform.reshape(3, -1, HOP), targets[:, :1].transpose(1, 2).expand(3, -1, HOP))
        lengths.add(targets.shape[-1])
    assert min(lengths) >= 6
    assert len(lengths) > 5


def test_a_crop_depends_on_the_seed_and_the_step_alone_and_spares_validation() -> None:
    batch = (noise(2, 60 * HOP), torch.zeros(2, 2, 60))
    module = in_training(model())
    assert module.on_after_batch_transfer(batch, 0) is batch
    module.crop, module.seed = CropSettings(share=1.0), 5
    first = module.on_after_batch_transfer(batch, 0)[0]
    torch.manual_seed(99)
    assert torch.equal(module.on_after_batch_transfer(batch, 0)[0], first)
    module.seed = 6
    assert module.on_after_batch_transfer(batch, 0)[0].shape != first.shape
    module.trainer.training = False
    assert module.on_after_batch_transfer(batch, 0) is batch


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 19, 20, 21, 40, 200])
def test_the_learning_rate_rises_and_falls_over_any_number_of_steps(steps: int, share: float) -> None:
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


def test_weights_decay_and_offsets_do_not() -> None:
    module = in_training(CRNN(TINY, optimiser=OptimiserSettings(weight_decay=0.3)), estimated_stepping_batches=100)
    made = module.configure_optimizers()
    assert isinstance(made, dict)
    groups = made["optimizer"].param_groups
    decays = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    assert {decays[id(parameter)] for parameter in module.parameters() if parameter.ndim > 1} == {0.3}
    assert {decays[id(parameter)] for parameter in module.parameters() if parameter.ndim <= 1} == {0.0}


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"channels": ()}, r"\(\)"),
        ({"channels": (4, 0)}, r"\(4, 0\)"),
        ({"joined": 0}, "joined 0"),
        ({"hidden": -1}, "hidden -1"),
        ({"dropout": 1.0}, "dropout 1.0"),
        ({"dropout": np.nan}, "dropout nan"),
    ],
)
def test_impossible_networks_are_refused(changes: dict[str, object], value: str) -> None:
    with pytest.raises(ValueError, match=value):
        CRNNSettings(**changes)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("changes", [{"learning_rate": 0.0}, {"positive_weight": -1.0}, {"weight_decay": -0.1}, {"warm_up_share": 1.5}])
def test_impossible_optimisers_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=str(*changes.values())):
        OptimiserSettings(**changes)
