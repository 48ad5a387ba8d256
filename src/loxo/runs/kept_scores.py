"""The scores of a recording in a small file, so that other thresholds need no audio.

A run keeps the score of every frame and label. A later run with other thresholds, minimum lengths,
merge gaps or formats computes its detections from these scores.

**Scores.** Every score has 8 bits, which keep the order of low scores. A score at or above the
**floor** has 12 bits more (see `score_codes`), so detections above the floor have the same scores
as in the first run to 3.1e-5. Their times are the same, too, unless a score is as near to a limit.

**Bands and counts.** They are measured on the features and levels of frames, which would take far
more space than scores. So they are measured when the scores are kept, for the runs of frames at the
off-thresholds of the model and of the run. A threshold from there on only selects among these runs.
Other detections, at lower thresholds or with other merge gaps, get the band that covers those of
the runs in them, and the sum of their counts: an estimate. For that, bands at the floor are kept as
well. A detection below the floor may have neither.

The file holds no pickled object:

    magic  length  header (JSON)  codes  refinements  measured runs  checksum
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from loxo.burst_counts import shots_within
from loxo.events import Detection
from loxo.messages import one_line
from loxo.model_folder import ModelSpec, PostProcessing
from loxo.post_processing import (
    detect,
    find_runs,
    lowest_off_threshold,
    measure_bands,
    off_threshold,
    smooth,
)
from loxo.runs.score_codes import (
    Codes,
    Refinements,
    decode_refined,
    encode_scores,
    first_refined_code,
    lowest_score,
    pack_refinements,
    unpack_refinements,
)
from loxo.scoring import Scores, scores_without_features
from loxo.timeline import samples_at

__all__ = ["DEFAULT_FLOOR", "KeptScores", "ScoreKeeper"]

MAGIC = b"loxo scores 2\n"
DEFAULT_FLOOR = 0.02
"""Scores from here on are kept with 20 bits. Off-thresholds of the packaged model are higher."""
BAND_STEP_HZ = 0.1
"""Bands are kept in these steps, as detections have them."""


FLOOR_LEVEL = 0.0
"""Key of the runs at the floor, which is no off-threshold."""


class Measured(NamedTuple):
    """Band in hertz and count of a run of frames."""

    low_hz: float
    high_hz: float
    shots: int | None


MeasuredRuns = dict[tuple[int, int], Measured]
"""What was measured of the frames `[first, last)` of each run of a label at one off-threshold."""


@dataclass(slots=True)
class ScoreKeeper:
    """Collects the scores of a recording, segment by segment, and packs them.

    Args:
        post_processing: that of the run that is going on.
        key: of the model and the recording (see `KeptScores`).
        floor: scores from here on are kept with 20 bits.
    """

    spec: ModelSpec
    post_processing: Mapping[str, PostProcessing]
    key: str
    floor: float = DEFAULT_FLOOR
    _codes: list[Codes] = field(default_factory=list)
    _refinements: list[Refinements] = field(default_factory=list)
    _tables: dict[tuple[int, float], list[NDArray[np.int32]]] = field(default_factory=dict)
    _n_samples: int = 0

    def add(self, segment: Scores) -> None:
        """Add the next segment; no detection above the floor may reach across its ends."""
        codes, refinements = encode_scores(segment.values)
        fine = codes >= first_refined_code(self.floor)
        self._codes.append(codes)
        self._refinements.append(refinements[fine])
        self._n_samples = segment.n_samples
        # Runs are those of the scores that the file gives back.
        kept = replace(segment, values=decode_refined(codes, refinements[fine], fine))
        # A new run would have features only around scores above its lowest off-threshold.
        lowest = min(map(lowest_off_threshold, (self.spec.post_processing, self.post_processing)))
        narrow = kept.kept_above(lowest)
        floor = lowest_score(first_refined_code(self.floor))
        for column, label in enumerate(self.spec.labels):
            model, run = self.spec.post_processing[label], self.post_processing[label]
            gaps_s = {0.0, model.merge_gap_s, run.merge_gap_s}
            for level in {off_threshold(model), off_threshold(run)}:
                measured = _measure(narrow, self.spec, column, _at_level(run, level), gaps_s)
                self._tables.setdefault((column, level), []).append(measured)
            # Faint as these are, they are not counted.
            faint = replace(_at_level(run, floor), count=False)
            measured = _measure(kept, self.spec, column, faint, [run.merge_gap_s])
            self._tables.setdefault((column, FLOOR_LEVEL), []).append(measured)

    def pack(self) -> bytes:
        """Pack everything into the bytes of a file."""
        codes = np.concatenate(self._codes)
        tables = {key: np.concatenate(parts) for key, parts in self._tables.items()}
        parts = [
            # Huffman coding alone. Noise has no repetitions, so a search for them takes a hundred
            # times as long, and its result is larger.
            _compressed(_differences(codes), zlib.Z_HUFFMAN_ONLY),
            pack_refinements(np.concatenate(self._refinements)),
            _compressed(b"".join(map(_differences, tables.values())), zlib.Z_DEFAULT_STRATEGY),
        ]
        header = {
            "key": self.key,
            "samples": self._n_samples,
            "frames": len(codes),
            "fine": first_refined_code(self.floor),
            "runs": [[*key, len(table)] for key, table in tables.items()],
            "bytes": [len(part) for part in parts],
        }
        text = json.dumps(header, separators=(",", ":")).encode()
        whole = b"".join([MAGIC, len(text).to_bytes(4, "little"), text, *parts])
        return whole + _checksum(whole)


def _at_level(processing: PostProcessing, level: float) -> PostProcessing:
    """Post-processing that ends runs at a level, and keeps all of them."""
    return replace(processing, threshold=level, off_threshold=level)


def _measure(
    segment: Scores,
    spec: ModelSpec,
    column: int,
    processing: PostProcessing,
    gaps_s: Iterable[float],
) -> NDArray[np.int32]:
    """Measure the runs of a label that are merged over any of some gaps.

    Returns:
        A row for each run `(run, 5)`: first frame, the one after the last, lowest and highest
        frequency in steps of `BAND_STEP_HZ`, and count; 0 if it is unknown.
    """
    grid = segment.grid
    smoothed = smooth(segment.values[:, column], grid.frames(processing.smoothing_s))
    found = [find_runs(smoothed, grid, replace(processing, merge_gap_s=gap_s)) for gap_s in gaps_s]
    # Most runs are the same over all gaps.
    distinct = sorted(set(map(tuple, np.concatenate(found).tolist())))
    runs = segment.start + np.array(distinct, np.int64).reshape(-1, 2)
    bands_hz = measure_bands(segment, spec.front_end, column, runs, processing)
    counts = np.zeros(len(runs))
    if processing.count:
        counts[:] = [shots_within(segment, *run) or 0 for run in runs.tolist()]
    return np.column_stack((runs, np.rint(bands_hz / BAND_STEP_HZ), counts)).astype(np.int32)


def _checksum(content: bytes) -> bytes:
    """CRC-32. Most flipped bits would otherwise give other scores and no error."""
    return zlib.crc32(content).to_bytes(4, "little")


def _compressed(content: bytes, strategy: int) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
    return coder.compress(content) + coder.flush()


def _differences(rows: NDArray[np.uint8] | NDArray[np.int32]) -> bytes:
    """Integers `(row, column)` as differences from row to row, column by column."""
    before = np.zeros((1, rows.shape[1]), rows.dtype)
    return np.diff(rows, axis=0, prepend=before).T.tobytes()


@dataclass(frozen=True, slots=True)
class KeptScores:
    """The scores of a recording as a file holds them.

    Args:
        key: hash of the model and the recording that they belong to.
        n_samples: length of the recording at the model's rate.
        values: `(frame, label)` in [0, 1].
        floor: scores from here on have 20 bits.
        measured: what was measured of runs, by the label's column and the off-threshold.
    """

    key: str
    n_samples: int
    values: NDArray[np.float32]
    floor: float
    measured: Mapping[tuple[int, float], MeasuredRuns]

    @classmethod
    def unpack(cls, content: bytes, spec: ModelSpec, key: str) -> Self:
        """Read the bytes of a file.

        Raises:
            ValueError: if they are of another version or key, or not whole.
        """
        try:
            return cls._unpack(content, spec, key)
        except (KeyError, IndexError, TypeError, ValueError, zlib.error) as error:
            raise ValueError(f"kept scores cannot be used: {one_line(error)}") from error

    @classmethod
    def _unpack(cls, content: bytes, spec: ModelSpec, key: str) -> Self:
        if not content.startswith(MAGIC):
            raise ValueError("they are not of this version of loxo")
        content, checksum = content[:-4], content[-4:]
        if checksum != _checksum(content):
            raise ValueError("they are damaged")
        start = len(MAGIC) + 4
        stop = start + int.from_bytes(content[len(MAGIC) : start], "little")
        header = json.loads(content[start:stop])
        if header["key"] != key:
            raise ValueError("they are of another model or recording")
        ends = [stop, *(stop + np.cumsum(header["bytes"]))]
        packed, refining, measuring = (content[a:b] for a, b in pairwise(ends))
        shape = (len(spec.labels), header["frames"])
        differences = zlib.decompress(packed, -zlib.MAX_WBITS)
        steps = np.frombuffer(differences, np.uint8).reshape(shape)
        codes = np.cumsum(steps, axis=1, dtype=np.uint8).T
        fine = codes >= header["fine"]
        refinements = unpack_refinements(refining, int(fine.sum()))
        values, floor = decode_refined(codes, refinements, fine), lowest_score(header["fine"])
        numbers = np.frombuffer(zlib.decompress(measuring, -zlib.MAX_WBITS), np.int32)
        measured = {}
        for column, level, n_runs in header["runs"]:
            table, numbers = numbers[: 5 * n_runs].reshape(5, -1), numbers[5 * n_runs :]
            measured[column, level] = _measured_runs(np.cumsum(table, axis=1).T)
        return cls(header["key"], header["samples"], values, floor, measured)

    def detect(
        self, spec: ModelSpec, post_processing: Mapping[str, PostProcessing]
    ) -> tuple[list[Detection], bool]:
        """Find the detections with other post-processing, without reading the audio.

        Returns:
            The detections, and whether bands and counts of some are estimates. Below the floor some
            may have none.
        """
        scores = scores_without_features(spec.front_end, spec.labels, self.values, self.n_samples)
        uncounted = {label: replace(each, count=False) for label, each in post_processing.items()}
        found, estimated = [], False
        for detection in detect(scores, spec.front_end, uncounted):
            column, run = spec.labels.index(detection.label), _frames(detection, spec)
            level = off_threshold(post_processing[detection.label])
            measured = self.measured.get((column, level), {}).get(run)
            if measured is None:
                measured = self._estimate(column, run)
                estimated = estimated or measured is not None
            low_hz, high_hz, count = measured or (None, None, None)
            found.append(replace(detection, low_hz=low_hz, high_hz=high_hz, count=count))
        return found, estimated

    def _estimate(self, column: int, run: tuple[int, int]) -> Measured | None:
        """Band that covers those of the runs within a run, and the sum of their counts.

        Runs at the highest off-threshold that has some are taken. If no run lies within, those that
        share frames with it are taken.
        """
        levels = sorted((level for label, level in self.measured if label == column), reverse=True)
        tables = [self.measured[column, level] for level in levels]
        for table in tables:
            inside = [each for each in table if run[0] <= each[0] and each[1] <= run[1]]
            if inside:
                return _united(table[each] for each in _longest(inside))
        for table in tables:
            beside = [each for each in table if run[0] < each[1] and each[0] < run[1]]
            if beside:
                return _united(table[each] for each in _longest(beside))
        return None


def _measured_runs(table: NDArray[np.integer]) -> MeasuredRuns:
    """Measured runs of a table `(run, 5)`: frames, steps of the band, and count."""
    return {
        (first, last): Measured(
            round(low * BAND_STEP_HZ, 1), round(high * BAND_STEP_HZ, 1), count or None
        )
        for first, last, low, high, count in table.tolist()
    }


def _frames(detection: Detection, spec: ModelSpec) -> tuple[int, int]:
    """Frames `[first, last)` of a detection."""
    grid = spec.front_end.grid
    return grid.frame(detection.start_s), grid.n_frames(samples_at(detection.end_s, grid.rate))


def _longest(runs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Leave out runs that lie within another one, which was merged over a longer gap."""
    end = -1
    for first, last in sorted(runs, key=lambda run: (run[0], -run[1])):
        if last > end:
            yield first, last
            end = last


def _united(parts: Iterable[Measured]) -> Measured:
    """Band and count of several runs as one."""
    lows_hz, highs_hz, counts = zip(*parts, strict=True)
    known = [count for count in counts if count is not None]
    return Measured(min(lows_hz), max(highs_hz), sum(known) if known else None)
