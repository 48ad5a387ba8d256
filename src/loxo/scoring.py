"""From a recording to scores `(frame, class)`, block by block: constant memory, no edge that is not the recording's own, no lost tail.

    samples    |....block....|....block....|....block....|..|          as they are read
    log bands  |----------------------------------------------|        frames, each from the samples around it
    core             [ context |      core      | context ]            what is scored at a time
    windows               [ c |  window  | c ]                         what the network sees at a time
                                    [ c |  window  | c ]

A frame's score depends on the frames within the network's context, and their floors on the half minute around those. Both are always
given in full, as far as the recording goes, so a score does not depend on where blocks, cores or windows begin but for what a recurrent
layer still remembers across its context: below 1e-3. At the ends of a recording nothing is invented: the network sees what there is.

A network that takes a fixed number of frames (`ModelSpec.window_frames`) sees windows that overlap by the context. At the ends of a
recording they are moved inwards, and only one that is shorter than a window is filled up, with zeros: how silence looks. Such a network
may answer by the place in its window as well, so its scores depend on where windows lie.

The features of frames that may belong to a detection are kept (`Scores.features`), so that its band can be measured without reading the
recording again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from scipy.special import expit, logit

from loxo.checkpoints import ModelError, ModelSpec, load_spec
from loxo.spectrogram import FrontEnd, log_bands, subtract_floor
from loxo.timeline import FrameGrid, Span, spans

__all__ = ["Scorer", "Scores", "calibrated", "feature_cores", "stream_log_bands"]

Array = NDArray[np.float32]

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""What may run the network, the first that is there."""
EDGE = np.float32(1e-6)
"""Scores nearer to 0 or 1 than this are alike: single precision hardly tells them apart."""
CORE_FRAMES = 6000
"""Frames scored at a time (10 min): large against the context that is computed twice, small against memory."""
WINDOW_FRAMES = 500
"""Frames of one row of a batch, without context."""


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of a recording.

    Args:
        values: `(frame, class)` in [0, 1].
        feature_frames: the frames `(kept,)`, in order, of which `features` `(kept, band)` were kept.
        n_samples: samples that were read, at the model's rate.
    """

    grid: FrameGrid
    values: Array
    feature_frames: NDArray[np.int64]
    features: NDArray[np.float16]
    n_samples: int

    @property
    def duration_s(self) -> float:
        """Length of what was scored."""
        return self.n_samples / self.grid.rate


class Scorer:
    """A model folder, ready to score recordings on this machine's processor.

    Raises:
        ModelError: if the folder is not a model.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.spec: ModelSpec = load_spec(folder)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self.session = ort.InferenceSession(
                folder / "model.onnx", options, providers=[p for p in PROVIDERS if p in ort.get_available_providers()]
            )
        except Exception as error:  # onnxruntime raises classes of its own that share no public base
            raise ModelError(f"{folder / 'model.onnx'}: {' '.join(str(error).split())[:200]}") from error
        takes = self.session.get_inputs()[0].shape[1]
        if takes != self.spec.front_end.n_bands:
            raise ModelError(f"{folder}: the network takes {takes} bands, the front end of spec.json gives {self.spec.front_end.n_bands}")

    @property
    def device(self) -> str:
        """Which device runs the network: `CPU`, `CUDA`, ..."""
        return str(self.session.get_providers()[0]).removesuffix("ExecutionProvider")

    def score(self, blocks: Iterable[Array], *, keep_above: float = 0.1) -> Scores:
        """Score a recording of consecutive blocks `(sample,)` at the model's rate; features are kept where a score exceeds `keep_above`."""
        front_end = self.spec.front_end
        counter = _Counter(blocks)
        values, frames, features = [], [], []
        around = self.spec.window_frames or self.spec.context_frames  # a short last core lies in a whole window, too
        for start, core_features, core in feature_cores(stream_log_bands(counter, front_end), front_end, around):
            scores = self._network(core_features, core)
            kept = np.flatnonzero(scores.max(axis=1) > keep_above)
            values.append(scores)
            frames.append(start + kept)
            features.append(core_features[core.before + kept].astype(np.float16))
        if not values:
            values, frames = [np.zeros((0, len(self.spec.labels)), np.float32)], [np.zeros(0, np.int64)]
            features = [np.zeros((0, front_end.n_bands), np.float16)]
        return Scores(front_end.grid, np.concatenate(values), np.concatenate(frames), np.concatenate(features), counter.n_samples)

    def _network(self, features: Array, core: Span) -> Array:
        """Scores `(frame, class)` of the core of features `(frame, band)`; windows of equal shape run as one batch."""
        out = np.empty((core.size, len(self.spec.labels)), np.float32)
        context, fixed = self.spec.context_frames, self.spec.window_frames
        if fixed is not None and len(features) < fixed:
            features = np.pad(features, ((0, fixed - len(features)), (0, 0)))
        windows = []
        for window in spans(core.size, WINDOW_FRAMES if fixed is None else fixed - 2 * context):
            first = max(0, core.before + window.start - context)
            last = min(len(features), core.before + window.stop + context)
            if fixed is not None:
                first = min(first, len(features) - fixed)
                last = first + fixed
            windows.append(Span(window.start, window.stop, first - core.before, last - core.before))
        for _, group in groupby(windows, key=lambda window: (window.before, window.size, window.outer_stop - window.outer_start)):
            alike = list(group)
            batch = np.stack([features[core.before + w.outer_start : core.before + w.outer_stop].T for w in alike])
            (scores,) = self.session.run(None, {"features": batch})
            for window, row in zip(alike, scores, strict=True):
                out[window.start : window.stop] = row[:, window.before : window.before + window.size].T
        return calibrated(out, self.spec)


def calibrated(scores: Array, spec: ModelSpec) -> Array:
    """Scores `(frame, class)` of a network as the specification wants them."""
    if not spec.calibration:
        return scores
    chosen = [spec.calibration[label] for label in spec.labels]
    slope, offset = (np.array([getattr(each, name) for each in chosen], np.float32) for name in ("slope", "offset"))
    known = np.clip(scores, EDGE, 1 - EDGE)
    result: Array = expit(slope * logit(known) + offset)
    return result


class _Counter:
    """Blocks as they pass, and how many samples they held."""

    def __init__(self, blocks: Iterable[Array]) -> None:
        self.blocks = blocks
        self.n_samples = 0

    def __iter__(self) -> Iterator[Array]:
        for block in self.blocks:
            self.n_samples += len(block)
            yield block


def stream_log_bands(blocks: Iterable[Array], front_end: FrontEnd) -> Iterator[Array]:
    """Log power `(frame, band)` of consecutive blocks of samples, as blocks of frames; the last frame is filled up with silence."""
    pending = [np.zeros(front_end.margin, np.float32)]
    n_samples, n_frames = 0, 0
    for block in blocks:
        n_samples += len(block)
        pending.append(block)
        ready = (sum(map(len, pending)) - 2 * front_end.margin) // front_end.hop
        if ready > 0:
            samples = np.concatenate(pending)
            yield log_bands(samples[: ready * front_end.hop + 2 * front_end.margin], front_end)
            pending = [samples[ready * front_end.hop :]]
            n_frames += ready
    rest = front_end.grid.n_frames(n_samples) - n_frames
    if rest > 0:
        samples = np.concatenate(pending)
        yield log_bands(np.pad(samples, (0, rest * front_end.hop + 2 * front_end.margin - len(samples))), front_end)


def feature_cores(log_power: Iterable[Array], front_end: FrontEnd, context: int) -> Iterator[tuple[int, Array, Span]]:
    """Features of consecutive cores of a stream of log power `(frame, band)`.

    Yields the core's first frame in the recording, features `(frame, band)` of the core and of up to `context` frames at either side, and
    where in them the core lies.
    """
    reach = context + 2 * front_end.floor_frames
    held = np.empty((0, front_end.n_bands), np.float32)
    first = 0  # frame of held[0]
    core = 0  # frame of the next core
    for block in chain(log_power, [None]):
        if block is not None:
            held = np.concatenate((held, block))
        known = first + len(held)
        while known >= core + CORE_FRAMES + reach or (block is None and core < known):
            size = min(CORE_FRAMES, known - core)
            # What is held begins at most `reach` before the core: its floor is that of the whole recording.
            features = subtract_floor(held[: core - first + size + reach], front_end)
            outer = max(0, core - first - context)
            before = core - first - outer
            yield (
                core,
                features[outer : core - first + size + context],
                Span(before, before + size, 0, min(before + size + context, len(features) - outer)),
            )
            core += size
            drop = max(0, core - reach - first)
            held, first = held[drop:], first + drop
