"""From a recording to scores `(frame, class)`, block by block: constant memory, no edge that is not the recording's own, no lost tail.

    samples    |....block....|....block....|....block....|..|          as they are read
    log bands  |----------------------------------------------|        frames, each from the samples around it
    core             [ context |      core      | context ]            what is scored at a time
    windows               [ c |  window  | c ]                         what a network sees that takes a fixed number of frames
                                    [ c |  window  | c ]

A frame's score depends on the frames within the network's context, and their floors on the half minute around those. Both are always
given in full, as far as the recording goes, so a score does not depend on where blocks and cores begin (but for what a recurrent layer
still remembers across its context: below 1e-3 at most seams, seldom up to 1e-2). At the ends of a recording nothing is invented: the
network sees what there is.

A network sees a core as a whole. One that takes a fixed number of frames (`ModelSpec.window_frames`) sees windows that overlap by the
context. At the ends of a recording they are moved inwards, and only one that is shorter than a window is filled up, with zeros: how silence
looks. Such a network may answer by the place in its window as well, so its scores depend on where windows lie.

Stages overlap: the calling thread reads, and `Scorer.threads` workers turn blocks into log bands and cores into scores, each task on one
core of the processor with what fits its cache. NumPy, SciPy and ONNX Runtime let go of Python's lock while they compute. Results are taken
in order, and only a few tasks are ahead of it, so memory stays the same however long the recording is. With one thread there are no
workers, and the same functions run one after the other.

The features of frames that may belong to a detection are kept (`Scores.features`), so that its band can be measured without reading the
recording again.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from scipy.special import expit, logit

from loxo.checkpoints import ModelError, ModelSpec, load_spec
from loxo.spectrogram import FrontEnd, log_bands, subtract_floor
from loxo.timeline import FrameGrid, Span, spans

__all__ = ["STAGES", "Profile", "Scorer", "Scores", "ahead", "calibrated", "feature_cores", "joined", "stream_log_bands"]

Array = NDArray[np.float32]
Item = TypeVar("Item")
Result = TypeVar("Result")

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""What may run the network, the first that is there."""
EDGE = np.float32(1e-6)
"""Scores nearer to 0 or 1 than this are alike: single precision hardly tells them apart."""
CORE_FRAMES = 6000
"""Frames scored at a time (10 min): large against the context that is computed twice, small against memory."""
STAGES = ("read", "resample", "front end", "network", "post-processing", "write")
"""What the time of a run goes to."""


class Profile:
    """Processor seconds of each stage, of all threads together; a stage within another counts for itself only."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()
        self._within = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what the calling thread computes inside for a stage."""
        outer, self._within.seconds = getattr(self._within, "seconds", 0.0), 0.0
        began = time.thread_time()
        try:
            yield
        finally:
            took = time.thread_time() - began
            with self._lock:
                self.seconds[name] += took - self._within.seconds
            self._within.seconds = outer + took

    def timed(self, name: str, blocks: Iterator[Array]) -> Iterator[Array]:
        """Pass blocks on and count what making them takes."""
        while True:
            with self.stage(name):
                block = next(blocks, None)
            if block is None:
                return
            yield block


def usable_cores() -> int:
    """Cores of the processor that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ahead(pool: Executor | None, function: Callable[[Item], Result], items: Iterable[Item], most: int) -> Iterator[Result]:
    """Results of a function in the order of its items, with at most `most` of them under way; without a pool, one after the other."""
    if pool is None:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a recording, or of a stretch of it.

    Args:
        values: `(frame, class)` in [0, 1].
        feature_frames: the frames of the recording `(kept,)`, in order, of which `features` `(kept, band)` were kept.
        n_samples: samples of the recording up to the end of the stretch, at the model's rate.
        start: first frame of the stretch.
    """

    grid: FrameGrid
    values: Array
    feature_frames: NDArray[np.int64]
    features: NDArray[np.float16]
    n_samples: int
    start: int = 0

    @property
    def duration_s(self) -> float:
        """Length of the recording up to the end of the stretch."""
        return self.n_samples / self.grid.rate

    def split(self, frame: int) -> tuple[Scores, Scores]:
        """What lies before a frame of the recording, and what lies from it on."""
        size, kept = frame - self.start, int(np.searchsorted(self.feature_frames, frame))
        before = Scores(
            self.grid,
            self.values[:size],
            self.feature_frames[:kept],
            self.features[:kept],
            min(frame * self.grid.hop, self.n_samples),
            self.start,
        )
        after = Scores(self.grid, self.values[size:], self.feature_frames[kept:], self.features[kept:], self.n_samples, frame)
        return before, after


def joined(stretches: Sequence[Scores]) -> Scores:
    """Stretches that follow each other as one."""
    values, frames, features = zip(*((each.values, each.feature_frames, each.features) for each in stretches), strict=True)
    return replace(
        stretches[0],
        values=np.concatenate(values),
        feature_frames=np.concatenate(frames),
        features=np.concatenate(features),
        n_samples=stretches[-1].n_samples,
    )


class Scorer:
    """A model folder, ready to score recordings on this machine: its network on a GPU if ONNX Runtime has one, the rest on the processor.

    Several recordings may be scored at once, from several threads; they share the workers.

    Args:
        threads: workers; 0 takes as many as there are cores, and 1 does all in the calling thread.

    Raises:
        ModelError: if the folder is not a model.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.spec: ModelSpec = load_spec(folder)
        self.threads = threads or usable_cores()
        self.pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # workers run side by side, each on a core of its own
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

    def score(self, blocks: Iterable[Array], *, keep_above: float = 0.1, profile: Profile | None = None) -> Scores:
        """All scores of a recording, as `stream` gives them core by core."""
        return joined(list(self.stream(blocks, keep_above=keep_above, profile=profile)))

    def stream(self, blocks: Iterable[Array], *, keep_above: float = 0.1, profile: Profile | None = None) -> Iterator[Scores]:
        """Scores of the consecutive cores of a recording, at least of one.

        Args:
            blocks: `(sample,)` at the model's rate, one after another.
            keep_above: features are kept where a score exceeds this.
        """
        front_end = self.spec.front_end
        account = Profile() if profile is None else profile
        counter = _Counter(blocks)

        def bands(padded: Array) -> Array:
            with account.stage("front end"):
                return log_bands(padded, front_end)

        # Tasks are small beside a core of frames, so that a short recording keeps every worker busy too.
        log_power = ahead(self.pool, bands, _whole_frames(counter, front_end), 2 * self.threads)
        around = self.spec.window_frames or self.spec.context_frames  # a short last core lies in a whole window, too
        cores = _power_cores(log_power, front_end, around)
        stop = 0
        for start, values, kept, features in ahead(self.pool, partial(self._core, keep_above, account), cores, self.threads + 1):
            stop = start + len(values)
            yield Scores(front_end.grid, values, kept, features, min(stop * front_end.hop, counter.n_samples), start)
        if stop == 0:
            none = np.zeros((0, len(self.spec.labels)), np.float32), np.zeros(0, np.int64), np.zeros((0, front_end.n_bands), np.float16)
            yield Scores(front_end.grid, *none, 0)

    def _core(self, keep_above: float, account: Profile, core: _PowerCore) -> tuple[int, Array, NDArray[np.int64], NDArray[np.float16]]:
        """First frame and scores `(frame, class)` of a core, its frames that may belong to a detection, and their features."""
        with account.stage("front end"):
            features = core.features(self.spec.front_end)
        with account.stage("network"):
            scores = self._network(features, core.span)
        kept = np.flatnonzero(scores.max(axis=1) > keep_above)
        return core.start, scores, core.start + kept, features[core.span.before + kept].astype(np.float16)

    def _network(self, features: Array, core: Span) -> Array:
        """Scores `(frame, class)` of the core of features `(frame, band)`; windows of equal shape run as one batch."""
        out = np.empty((core.size, len(self.spec.labels)), np.float32)
        context, fixed = self.spec.context_frames, self.spec.window_frames
        if fixed is not None and len(features) < fixed:
            features = np.pad(features, ((0, fixed - len(features)), (0, 0)))
        windows = []
        for window in spans(core.size, core.size if fixed is None else fixed - 2 * context):
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


def _whole_frames(blocks: Iterable[Array], front_end: FrontEnd) -> Iterator[Array]:
    """Consecutive blocks of samples anew: as whole frames with the margins around them, what lies outside the recording as silence."""
    pending = [np.zeros(front_end.margin, np.float32)]
    n_samples, n_frames = 0, 0
    for block in blocks:
        n_samples += len(block)
        pending.append(block)
        ready = (sum(map(len, pending)) - 2 * front_end.margin) // front_end.hop
        if ready > 0:
            samples = np.concatenate(pending)
            yield samples[: ready * front_end.hop + 2 * front_end.margin]
            pending = [samples[ready * front_end.hop :]]
            n_frames += ready
    rest = front_end.grid.n_frames(n_samples) - n_frames
    if rest > 0:
        samples = np.concatenate(pending)
        yield np.pad(samples, (0, rest * front_end.hop + 2 * front_end.margin - len(samples)))


def stream_log_bands(blocks: Iterable[Array], front_end: FrontEnd) -> Iterator[Array]:
    """Log power `(frame, band)` of consecutive blocks of samples, as blocks of frames; the last frame is filled up with silence."""
    return (log_bands(padded, front_end) for padded in _whole_frames(blocks, front_end))


@dataclass(frozen=True, slots=True)
class _PowerCore:
    """A core and what its scores depend on.

    Args:
        start: its first frame in the recording.
        power: log power `(frame, band)` of the core and of all that it reaches to.
        context: frames of `power` `[first, last)` that the network sees.
        span: where in those the core lies.
    """

    start: int
    power: Array
    context: tuple[int, int]
    span: Span

    def features(self, front_end: FrontEnd) -> Array:
        """What the network sees `(frame, band)`."""
        first, last = self.context
        return subtract_floor(self.power, front_end)[first:last]


def _power_cores(log_power: Iterable[Array], front_end: FrontEnd, context: int) -> Iterator[_PowerCore]:
    """Consecutive cores of a stream of log power `(frame, band)`."""
    reach = context + 2 * front_end.floor_frames
    held: list[Array] = []
    first = known = 0  # frames of the recording where what is held begins and ends
    core = 0  # frame of the next core
    for block in chain(log_power, [None]):
        if block is not None:
            held.append(block)
            known += len(block)
        while known >= core + CORE_FRAMES + reach or (block is None and core < known):
            size = min(CORE_FRAMES, known - core)
            power = np.concatenate(held)
            held = [power]
            # What is held begins at most `reach` before the core: its floor is that of the whole recording.
            seen = power[: core - first + size + reach]
            outer = max(0, core - first - context)
            last = min(core - first + size + context, len(seen))
            before = core - first - outer
            yield _PowerCore(core, seen, (outer, last), Span(before, before + size, 0, last - outer))
            core += size
            drop = max(0, core - reach - first)
            held, first = [power[drop:]], first + drop


def feature_cores(log_power: Iterable[Array], front_end: FrontEnd, context: int) -> Iterator[tuple[int, Array, Span]]:
    """Features of consecutive cores of a stream of log power `(frame, band)`.

    Yields the core's first frame in the recording, features `(frame, band)` of the core and of up to `context` frames at either side, and
    where in them the core lies.
    """
    return ((core.start, core.features(front_end), core.span) for core in _power_cores(log_power, front_end, context))
