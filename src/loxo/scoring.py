"""Scores `(frame, label)` of a recording, computed block by block in constant memory.

    samples    |....block....|....block....|....block....|..|    as they are read
    log bands  |-------------------------------------------|    frames, each from the samples
                                                                around it
    core             [ context |      core      | context ]     frames that are scored together
    windows               [ c |  window  | c ]                  input of a network that takes
                                    [ c |  window  | c ]        a fixed number of frames

A frame's score depends on the frames within the network's context, and their floors depend on the
half minute around those. Every core includes both, up to the ends of the recording. So a score does
not depend on where blocks and cores begin. (A recurrent layer is the exception: it remembers a
little beyond its context, which changes scores by less than 1e-3 at most seams, seldom by up to
1e-2.) At the ends of a recording no frames are added: the network sees only what was recorded.

A network usually sees a core as a whole. A network that takes a fixed number of frames
(`ModelSpec.window_frames`) sees windows that overlap by the context. At the ends of a recording
these windows are shifted inwards. Only a recording shorter than one window is padded, with zeros:
the features of silence. The output of such a network may also depend on the position in its window,
so its scores depend on where windows lie.

Stages overlap in time. The calling thread reads; `Scorer.threads` workers turn blocks into log
bands and cores into scores. Each task runs on one processor core, with data that fit its cache.
NumPy, SciPy and ONNX Runtime release Python's global lock while they compute. Results are yielded
in order, and only a few tasks run ahead, so memory use does not grow with the recording. With one
thread there are no workers, and the same functions run one after the other.

The features of frames that may belong to a detection, and of those within `SURROUNDINGS_S` of
them, are kept (`Scores.features`), and so are the levels of their cells (`Scores.onsets`). So the
frequency band of a detection and its number of gunshots can be measured against its surroundings
without reading the recording again. Levels are computed for these frames only. Whether a frame at
the end of a core is kept depends on the next core, so a core is yielded after that one is scored.

Frames of digital silence, and those whose windows may overlap it, have a score of zero: no
microphone recorded what they show. Training does not have this rule.
"""

from __future__ import annotations

import copy
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
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from scipy.special import expit, logit

from loxo.messages import one_line
from loxo.model_folder import ModelError, ModelSpec, check_network, check_self_contained, load_spec
from loxo.spectrogram import (
    FrontEnd,
    cells_per_frame,
    log_bands,
    onset_levels,
    quantize_levels,
    silent_frames,
    subtract_floor,
    tainted_frames,
)
from loxo.timeline import FrameGrid, Span, seconds_at, spans

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "FEATURE_STEP",
    "STAGES",
    "SURROUNDINGS_S",
    "Profile",
    "Scorer",
    "Scores",
    "bounded_map",
    "calibrated",
    "concatenate",
    "dequantize",
    "quantize",
    "scores_without_features",
]

Array = NDArray[np.float32]
Item = TypeVar("Item")
Result = TypeVar("Result")

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""ONNX Runtime's execution providers that may run the network; the first available one does."""
EDGE = np.float32(1e-6)
"""Scores are clipped to `[EDGE, 1 - EDGE]` before their log odds are taken: single precision hardly
distinguishes scores closer to 0 or 1."""
CORE_FRAMES = 6000
"""Frames scored at a time (10 min): large compared with the context, which is computed twice; small
compared with the memory."""
FEATURE_STEP = 1 / 36
"""Resolution of kept features in bel. The range of features, -2 to 5 bel above the floor, then
needs 253 codes, which fit one byte, and 0 bel is represented exactly."""
FEATURE_LOW = -2.0
"""Lowest feature in bel, which has code 0."""
SURROUNDINGS_S = 1.0
"""Features are kept for frames up to this far from a frame with a score above the limit."""
ERROR_LENGTH = 200
"""Characters shown of an ONNX Runtime error, whose messages can be pages long."""
STAGES = ("read", "resample", "front end", "network", "post-processing", "write")
"""Stages of a run whose time a `Profile` measures."""


class Profile:
    """Processor seconds of each stage, summed over all threads.

    The time of a stage inside another stage is counted for the inner one only.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()
        self._within = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what the calling thread computes inside the `with` block as part of a stage."""
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
        """Iterate over blocks and count the time that producing them takes as part of a stage."""
        while True:
            with self.stage(name):
                block = next(blocks, None)
            if block is None:
                return
            yield block


def usable_cores() -> int:
    """Count the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def bounded_map(
    pool: Executor | None, function: Callable[[Item], Result], items: Iterable[Item], most: int
) -> Iterator[Result]:
    """Apply a function to items in a pool, in order, with at most `most` calls at once.

    Unlike `Executor.map`, it takes items only as fast as results are used, so memory stays bounded.
    Without a pool, the calls run one after the other.
    """
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


def quantize(features: Array) -> NDArray[np.uint8]:
    """Round features in bel, `(frame, band)`, to one byte each: multiples of `FEATURE_STEP`."""
    codes: NDArray[np.uint8] = np.rint((features - FEATURE_LOW) / FEATURE_STEP).astype(np.uint8)
    return codes


def dequantize(codes: NDArray[np.uint8]) -> Array:
    """Features in bel, `(frame, band)`, of the codes that `quantize` gave."""
    features: Array = codes.astype(np.float32) * np.float32(FEATURE_STEP) + np.float32(FEATURE_LOW)
    return features


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a recording or of a segment of it, one row for each frame of a tenth of a second.

    Args:
        grid: converts frames to seconds; frames count from the start of the recording.
        labels: labels of the columns of `values`.
        values: scores `(frame, label)` in [0, 1].
        feature_frames: frames `(kept,)` of the recording, in order, whose features were kept.
        features: features `(kept, band)` of those frames as `quantize` gives them.
        onsets: levels `(kept, cell)` of those frames as `quantize_levels` gives them.
        n_samples: samples from the start of the recording to the end of the segment, at the model's
            rate.
        start: first frame of the segment.
    """

    grid: FrameGrid
    labels: tuple[str, ...]
    values: Array
    feature_frames: NDArray[np.int64]
    features: NDArray[np.uint8]
    onsets: NDArray[np.uint8]
    n_samples: int
    start: int = 0

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the recording to the end of the segment."""
        return seconds_at(self.n_samples, self.grid.rate)

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Start `(frame,)` of each frame, in seconds from the start of the recording."""
        return self.grid.starts_s(self.start, self.start + len(self.values))

    def to_frame(self) -> pl.DataFrame:
        """Make a table with the columns `start_s` and one of scores for each label."""
        import polars as pl

        columns = dict(zip(self.labels, self.values.T, strict=True))
        return pl.DataFrame({"start_s": self.times_s} | columns)

    def split(self, frame: int) -> tuple[Scores, Scores]:
        """Split at a frame of the recording, which is the first one of the second part."""
        size, kept = frame - self.start, int(np.searchsorted(self.feature_frames, frame))
        before = replace(
            self.with_kept(slice(None, kept)),
            values=self.values[:size],
            n_samples=min(self.grid.sample(frame), self.n_samples),
        )
        after = replace(self.with_kept(slice(kept, None)), values=self.values[size:], start=frame)
        return before, after

    def kept_within(self, first: int, last: int) -> slice:
        """Rows of `feature_frames`, `features` and `onsets` of the frames `[first, last)`."""
        return slice(*np.searchsorted(self.feature_frames, (first, last)).tolist())

    def kept_above(self, level: float) -> Scores:
        """Drop what is kept of frames not within `SURROUNDINGS_S` of a score above `level`.

        All frames within `SURROUNDINGS_S` of the segment's ends must be at or below the level, or
        be ends of the recording.
        """
        loud = self.start + np.flatnonzero(self.values.max(axis=1, initial=0.0) > level)
        reach = self.grid.frames(SURROUNDINGS_S)
        return self.with_kept(_within_reach(self.feature_frames, loud, reach))

    def with_kept(self, rows: slice | NDArray[np.bool_]) -> Scores:
        """Keep the features and levels of these rows only."""
        return replace(
            self,
            feature_frames=self.feature_frames[rows],
            features=self.features[rows],
            onsets=self.onsets[rows],
        )


def _within_reach(
    frames: NDArray[np.int64], centres: NDArray[np.int64], reach: int
) -> NDArray[np.bool_]:
    """Whether each frame `(frame,)` is at most `reach` frames from one of the sorted centres."""
    following = np.searchsorted(centres, frames - reach)
    # Beyond the last centre there is none within reach.
    distant = np.append(centres, np.iinfo(np.int64).max)
    within: NDArray[np.bool_] = distant[following] <= frames + reach
    return within


def scores_without_features(
    front_end: FrontEnd, labels: tuple[str, ...], values: Array, n_samples: int, start: int = 0
) -> Scores:
    """Make scores `(frame, label)` of which no features and levels are kept; see `Scores`."""
    return Scores(
        front_end.grid,
        labels,
        values,
        np.zeros(0, np.int64),
        np.zeros((0, front_end.n_bands), np.uint8),
        np.zeros((0, cells_per_frame(front_end)), np.uint8),
        n_samples,
        start,
    )


def concatenate(segments: Sequence[Scores]) -> Scores:
    """Join consecutive segments of a recording, at least one, into one."""
    return replace(
        segments[0],
        values=np.concatenate([each.values for each in segments]),
        feature_frames=np.concatenate([each.feature_frames for each in segments]),
        features=np.concatenate([each.features for each in segments]),
        onsets=np.concatenate([each.onsets for each in segments]),
        n_samples=segments[-1].n_samples,
    )


class Scorer:
    """Computes scores: the network of a model folder, its front end and worker threads.

    The network runs on a GPU if ONNX Runtime has access to one, and everything else on the
    processor. Several recordings may be scored at once, from several threads; they share the
    workers.

    Args:
        threads: number of workers; 0 takes one for each processor core, and 1 does everything in
            the calling thread.

    Raises:
        ModelError: if the folder does not hold a model, or its parts do not fit together.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        if threads < 0:
            raise ValueError(f"threads {threads} must be 0, for one on each core, or more")
        self.spec: ModelSpec = load_spec(folder)
        self.threads = threads or usable_cores()
        self.pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self.session = _open_network(folder / "model.onnx", self.spec)

    @property
    def device(self) -> str:
        """The device that runs the network: `CPU`, `CUDA`, ..."""
        return str(self.session.get_providers()[0]).removesuffix("ExecutionProvider")

    def with_spec(self, spec: ModelSpec) -> Self:
        """Copy this scorer with another specification; network and workers are shared."""
        changed = copy.copy(self)
        changed.spec = spec
        return changed

    def score(
        self, blocks: Iterable[Array], *, keep_above: float = 0.1, profile: Profile | None = None
    ) -> Scores:
        """Score a whole recording at once; see `stream`."""
        return concatenate(list(self.stream(blocks, keep_above=keep_above, profile=profile)))

    def stream(
        self, blocks: Iterable[Array], *, keep_above: float = 0.1, profile: Profile | None = None
    ) -> Iterator[Scores]:
        """Score a recording and yield its consecutive cores; an empty recording yields one.

        Args:
            blocks: consecutive blocks of samples `(sample,)` at the model's rate, of any lengths.
            keep_above: features are kept for frames within `SURROUNDINGS_S` of a score above this.
            profile: counts the processor time of each stage.
        """
        front_end = self.spec.front_end
        times = Profile() if profile is None else profile
        counter = _Counter(blocks)

        def bands(padded: Array) -> _Block:
            with times.stage("front end"):
                return _Block(padded, log_bands(padded, front_end))

        # Blocks are small compared with a core, so even a short recording keeps all workers busy.
        loaded = bounded_map(self.pool, bands, _whole_frames(counter, front_end), 2 * self.threads)
        # A fixed window that holds a short last core reaches back further than the context.
        context = self.spec.window_frames or self.spec.context_frames
        cores = _split_into_cores(loaded, front_end, context)
        scored = bounded_map(
            self.pool, partial(self._score_core, keep_above, times), cores, self.threads + 1
        )
        stop = 0
        for core in _with_surroundings(scored, keep_above, front_end.grid.frames(SURROUNDINGS_S)):
            stop = core.start + len(core.values)
            yield replace(core, n_samples=min(core.n_samples, counter.n_samples))
        if stop == 0:
            nothing = np.zeros((0, len(self.spec.labels)), np.float32)
            yield scores_without_features(front_end, self.spec.labels, nothing, 0)

    def _score_core(self, keep_above: float, times: Profile, core: _Core) -> Scores:
        """Score one core; `n_samples` of the result counts its last frame as complete.

        Of the frames near its ends more are kept than needed: what lies beyond is not yet known.
        """
        front_end = self.spec.front_end
        grid, n_frames = front_end.grid, core.span.size
        with times.stage("front end"):
            features = core.features(front_end)
        with times.stage("network"):
            values = self._run_network(features, core.span)
        values[core.tainted(front_end)] = 0.0
        loud = np.flatnonzero(values.max(axis=1) > keep_above)
        beyond = np.concatenate(([-1], loud, [n_frames]))
        kept = np.flatnonzero(
            _within_reach(np.arange(n_frames), beyond, grid.frames(SURROUNDINGS_S))
        )
        with times.stage("front end"):
            onsets = core.onsets(core.start + kept, front_end)
        return Scores(
            grid,
            self.spec.labels,
            values,
            core.start + kept,
            quantize(features[core.span.before + kept]),
            onsets,
            n_samples=grid.sample(core.start + n_frames),
            start=core.start,
        )

    def _run_network(self, features: Array, core: Span) -> Array:
        """Scores `(frame, label)` of a core that lies in features `(frame, band)`."""
        fixed = self.spec.window_frames
        if fixed is not None and len(features) < fixed:
            features = np.pad(features, ((0, fixed - len(features)), (0, 0)))
        out = np.empty((core.size, len(self.spec.labels)), np.float32)
        # Windows of equal shape run as one batch.
        for _, group in groupby(self._windows(len(features), core), key=_shape_of_window):
            windows = list(group)
            batch = np.stack([_window_of(features, core, window) for window in windows])
            (scores,) = self.session.run(None, {"features": batch})
            for window, row in zip(windows, scores, strict=True):
                inner = row[:, window.before : window.before + window.size]
                out[window.start : window.stop] = inner.T
        return calibrated(out, self.spec)

    def _windows(self, n_frames: int, core: Span) -> list[Span]:
        """Cut a core into windows with context, in frames from the start of the core.

        Args:
            n_frames: frames of the features in which the core lies.
        """
        context, fixed = self.spec.context_frames, self.spec.window_frames
        windows = []
        for window in spans(core.size, core.size if fixed is None else fixed - 2 * context):
            first = max(0, core.before + window.start - context)
            last = min(n_frames, core.before + window.stop + context)
            if fixed is not None:
                first = min(first, n_frames - fixed)  # shifted inwards at the recording's end
                last = first + fixed
            windows.append(Span(window.start, window.stop, first - core.before, last - core.before))
        return windows


def _shape_of_window(window: Span) -> tuple[int, int, int]:
    """Sizes in frames: context before the window, the window, and the whole input."""
    return window.before, window.size, window.outer_stop - window.outer_start


def _window_of(features: Array, core: Span, window: Span) -> Array:
    """Features `(band, frame)` of a window and its context: one input of the network."""
    return features[core.before + window.outer_start : core.before + window.outer_stop].T


def _open_network(path: Path, spec: ModelSpec) -> ort.InferenceSession:
    """Load a network and check that it fits the specification.

    Raises:
        ModelError: if it cannot be loaded, or has other bands or labels than the specification.
    """
    check_self_contained(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # workers run side by side, each on its own core
    options.log_severity_level = 3
    available = ort.get_available_providers()
    try:
        session = ort.InferenceSession(
            path, options, providers=[name for name in PROVIDERS if name in available]
        )
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise ModelError(f"{path}: {one_line(error)[:ERROR_LENGTH]}") from error
    check_network(session, spec, path)
    return session


def calibrated(scores: Array, spec: ModelSpec) -> Array:
    """Apply a specification's calibration, if it has one, to raw scores `(frame, label)`."""
    if not spec.calibration:
        return scores
    chosen = [spec.calibration[label] for label in spec.labels]
    slope = np.array([calibration.slope for calibration in chosen], np.float32)
    offset = np.array([calibration.offset for calibration in chosen], np.float32)
    known = np.clip(scores, EDGE, 1 - EDGE)
    result: Array = expit(slope * logit(known) + offset)
    return result


class _Counter:
    """Iterate over blocks and count their samples."""

    def __init__(self, blocks: Iterable[Array]) -> None:
        self.blocks = blocks
        self.n_samples = 0

    def __iter__(self) -> Iterator[Array]:
        for block in self.blocks:
            self.n_samples += len(block)
            yield block


def _whole_frames(blocks: Iterable[Array], front_end: FrontEnd) -> Iterator[Array]:
    """Regroup blocks of samples into whole frames with the margins around them.

    The last frame, and the margins at both ends of the recording, are padded with silence.
    """
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


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive whole frames.

    Args:
        padded: their samples `(sample,)` with the margins around them.
        power: their log power `(frame, band)`.
    """

    padded: Array
    power: Array


@dataclass(frozen=True, slots=True)
class _Core:
    """Consecutive frames that are scored together, and all that their scores depend on.

    Args:
        start: first frame of the core, counted from the start of the recording.
        power: log power `(frame, band)` of the core and of the frames that its floors depend on.
        context: frames `[first, last)` of `power` that the network sees.
        span: position of the core within the frames of `context`.
        blocks: the blocks that the core lies in, by their first frames.
    """

    start: int
    power: Array
    context: tuple[int, int]
    span: Span
    blocks: tuple[tuple[int, _Block], ...]

    def features(self, front_end: FrontEnd) -> Array:
        """Features `(frame, band)` that the network sees: bel above the floor."""
        first, last = self.context
        return subtract_floor(self.power, front_end)[first:last]

    def tainted(self, front_end: FrontEnd) -> NDArray[np.bool_]:
        """Whether each frame of the core `(frame,)` is silent or may overlap a silence."""
        silent = np.flatnonzero(silent_frames(self.power))
        first = self.context[0] + self.span.before
        return _within_reach(
            np.arange(first, first + self.span.size), silent, tainted_frames(front_end)
        )

    def onsets(self, frames: NDArray[np.int64], front_end: FrontEnd) -> NDArray[np.uint8]:
        """Quantised levels `(frame, cell)` of some frames `(frame,)` of the core, in order."""
        hop, margin = front_end.hop, front_end.margin
        found = [np.zeros((0, cells_per_frame(front_end)), np.uint8)]
        for start, block in self.blocks:
            first, last = np.searchsorted(frames, (start, start + len(block.power)))
            inside = frames[first:last] - start
            # Levels are computed run by run, as most frames are not among these.
            for run in np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1):
                if len(run):
                    padded = block.padded[run[0] * hop : (run[-1] + 1) * hop + 2 * margin]
                    found.append(quantize_levels(onset_levels(padded, front_end)))
        return np.concatenate(found)


def _split_into_cores(
    blocks: Iterable[_Block], front_end: FrontEnd, context: int
) -> Iterator[_Core]:
    """Split a stream of blocks into cores of `CORE_FRAMES`."""
    reach = context + max(front_end.floor_reach, tainted_frames(front_end))
    held: list[Array] = []
    recent: list[tuple[int, _Block]] = []  # blocks that the next core may lie in
    first = known = 0  # frames of the recording at which `held` begins and ends
    core = 0  # first frame of the next core
    for block in chain(blocks, [None]):
        if block is not None:
            held.append(block.power)
            recent.append((known, block))
            known += len(block.power)
        while known >= core + CORE_FRAMES + reach or (block is None and core < known):
            size = min(CORE_FRAMES, known - core)
            power = np.concatenate(held)
            held = [power]
            # `held` begins `reach` frames or a little more before the core, or at the start of the
            # recording. So the floor of every frame in the context equals that of the whole
            # recording.
            seen = power[: core - first + size + reach]
            outer = max(0, core - first - context)
            last = min(core - first + size + context, len(seen))
            before = core - first - outer
            span = Span(before, before + size, 0, last - outer)
            inside = tuple(each for each in recent if each[0] < core + size)
            yield _Core(core, seen, (outer, last), span, inside)
            core += size
            recent = [each for each in recent if each[0] + len(each[1].power) > core]
            # The floor is counted from whole steps of the recording.
            drop = max(0, core - reach - first) // front_end.floor_step * front_end.floor_step
            held, first = [power[drop:]], first + drop


def _with_surroundings(cores: Iterable[Scores], keep_above: float, reach: int) -> Iterator[Scores]:
    """Keep only frames within `reach` frames of a score above a limit, whatever core it is in.

    A core is yielded once all frames are known that lie within reach of its own.
    """
    held: deque[Scores] = deque()
    loud = np.zeros(0, np.int64)  # frames above the limit within reach of the cores in `held`
    known = 0  # frames whose scores are known
    for core in chain(cores, [None]):
        if core is not None:
            here = core.start + np.flatnonzero(core.values.max(axis=1) > keep_above)
            loud = np.concatenate((loud, here))
            held.append(core)
            known = core.start + len(core.values)
        while held and (core is None or held[0].start + len(held[0].values) + reach <= known):
            done = held.popleft()
            yield done.with_kept(_within_reach(done.feature_frames, loud, reach))
            loud = loud[loud >= done.start + len(done.values) - reach]
