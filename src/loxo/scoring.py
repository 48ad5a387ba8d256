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

The features of frames that may belong to a detection are kept (`Scores.features`), so that the
frequency band of a detection can be measured without reading the recording again.
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
from loxo.spectrogram import FrontEnd, log_bands, subtract_floor
from loxo.timeline import FrameGrid, Span, seconds_at, spans

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "FEATURE_STEP",
    "STAGES",
    "Profile",
    "Scorer",
    "Scores",
    "bounded_map",
    "calibrated",
    "concatenate",
    "dequantize",
    "quantize",
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
        n_samples: samples from the start of the recording to the end of the segment, at the model's
            rate.
        start: first frame of the segment.
    """

    grid: FrameGrid
    labels: tuple[str, ...]
    values: Array
    feature_frames: NDArray[np.int64]
    features: NDArray[np.uint8]
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
            self,
            values=self.values[:size],
            feature_frames=self.feature_frames[:kept],
            features=self.features[:kept],
            n_samples=min(self.grid.sample(frame), self.n_samples),
        )
        after = replace(
            self,
            values=self.values[size:],
            feature_frames=self.feature_frames[kept:],
            features=self.features[kept:],
            start=frame,
        )
        return before, after


def concatenate(segments: Sequence[Scores]) -> Scores:
    """Join consecutive segments of a recording, at least one, into one."""
    return replace(
        segments[0],
        values=np.concatenate([each.values for each in segments]),
        feature_frames=np.concatenate([each.feature_frames for each in segments]),
        features=np.concatenate([each.features for each in segments]),
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
            keep_above: features are kept for frames in which a score exceeds this.
            profile: counts the processor time of each stage.
        """
        front_end = self.spec.front_end
        times = Profile() if profile is None else profile
        counter = _Counter(blocks)

        def bands(padded: Array) -> Array:
            with times.stage("front end"):
                return log_bands(padded, front_end)

        # Blocks are small compared with a core, so even a short recording keeps all workers busy.
        log_power = bounded_map(
            self.pool, bands, _whole_frames(counter, front_end), 2 * self.threads
        )
        # A fixed window that holds a short last core reaches back further than the context.
        context = self.spec.window_frames or self.spec.context_frames
        cores = _split_into_cores(log_power, front_end, context)
        stop = 0
        for scored in bounded_map(
            self.pool, partial(self._score_core, keep_above, times), cores, self.threads + 1
        ):
            stop = scored.start + len(scored.values)
            yield replace(scored, n_samples=min(scored.n_samples, counter.n_samples))
        if stop == 0:
            yield self._no_scores()

    def _no_scores(self) -> Scores:
        """Scores of a recording without samples."""
        return Scores(
            self.spec.front_end.grid,
            self.spec.labels,
            np.zeros((0, len(self.spec.labels)), np.float32),
            np.zeros(0, np.int64),
            np.zeros((0, self.spec.front_end.n_bands), np.uint8),
            n_samples=0,
        )

    def _score_core(self, keep_above: float, times: Profile, core: _Core) -> Scores:
        """Score one core; `n_samples` of the result counts its last frame as complete."""
        front_end = self.spec.front_end
        with times.stage("front end"):
            features = core.features(front_end)
        with times.stage("network"):
            values = self._run_network(features, core.span)
        kept = np.flatnonzero(values.max(axis=1) > keep_above)
        return Scores(
            front_end.grid,
            self.spec.labels,
            values,
            core.start + kept,
            quantize(features[core.span.before + kept]),
            n_samples=front_end.grid.sample(core.start + len(values)),
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
class _Core:
    """Consecutive frames that are scored together, and all that their scores depend on.

    Args:
        start: first frame of the core, counted from the start of the recording.
        power: log power `(frame, band)` of the core and of the frames that its floors depend on.
        context: frames `[first, last)` of `power` that the network sees.
        span: position of the core within the frames of `context`.
    """

    start: int
    power: Array
    context: tuple[int, int]
    span: Span

    def features(self, front_end: FrontEnd) -> Array:
        """Features `(frame, band)` that the network sees: bel above the floor."""
        first, last = self.context
        return subtract_floor(self.power, front_end)[first:last]


def _split_into_cores(
    log_power: Iterable[Array], front_end: FrontEnd, context: int
) -> Iterator[_Core]:
    """Split a stream of log power `(frame, band)` into cores of `CORE_FRAMES`."""
    reach = context + 2 * front_end.floor_frames
    held: list[Array] = []
    first = known = 0  # frames of the recording at which `held` begins and ends
    core = 0  # first frame of the next core
    for block in chain(log_power, [None]):
        if block is not None:
            held.append(block)
            known += len(block)
        while known >= core + CORE_FRAMES + reach or (block is None and core < known):
            size = min(CORE_FRAMES, known - core)
            power = np.concatenate(held)
            held = [power]
            # `held` begins `reach` frames before the core, or at the start of the recording. So
            # the floor of every frame in the context equals that of the whole recording.
            seen = power[: core - first + size + reach]
            outer = max(0, core - first - context)
            last = min(core - first + size + context, len(seen))
            before = core - first - outer
            yield _Core(core, seen, (outer, last), Span(before, before + size, 0, last - outer))
            core += size
            drop = max(0, core - reach - first)
            held, first = [power[drop:]], first + drop
