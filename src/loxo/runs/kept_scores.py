"""The scores of a recording in a small file, so that other thresholds need no audio.

A run keeps the score of every frame and label. A later run with other thresholds, minimum lengths,
merge gaps or formats computes its detections from these scores.

**Scores.** Every score has 8 bits, which keep the order of low scores. A score at or above the
**floor** has 12 bits more (see `score_codes`), so detections above the floor have the same scores
as in the first run to 3.1e-5. Their times are the same, too, unless a score is as near to a limit.

**Bands.** The band of a detection is measured on the features of its frames, which would take far
more space than scores. But there are only so many different detections above the floor, whatever
the thresholds (see `levels`), and a band is two numbers. So the bands of all of them are kept:
those of unmerged detections, and of detections that are merged over the gap of the first run. Any
other merged detection gets the band that covers the bands of its parts; `same_gaps` says whether
there may be many of them. A detection that reaches below the floor has no band here.

The file holds no pickled object:

    magic  length  header (JSON)  codes  refinements  bands  checksum

Only bands are stored, not the frames that they belong to: those follow from the scores.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from loxo.events import Detection
from loxo.messages import one_line
from loxo.model_folder import ModelSpec, PostProcessing
from loxo.post_processing import (
    detect,
    hysteresis,
    lowest_off_threshold,
    off_threshold,
    smooth,
)
from loxo.runs.levels import LabelBands, mean_spectra, merged, runs_with_bands
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
from loxo.scoring import Scores, dequantize
from loxo.timeline import samples_at

__all__ = ["DEFAULT_FLOOR", "KeptScores", "ScoreKeeper"]

MAGIC = b"loxo scores 1\n"
DEFAULT_FLOOR = 0.02
"""Scores from here on are kept with 20 bits and with their bands. Thresholds of the packaged model
are about ten times as high."""


@dataclass(slots=True)
class ScoreKeeper:
    """Collects the scores of a recording, segment by segment, and packs them.

    Args:
        post_processing: that of the run that is going on.
        key: of the model and the recording (see `KeptScores`).
        floor: scores from here on are kept with 20 bits and with their bands.
    """

    spec: ModelSpec
    post_processing: Mapping[str, PostProcessing]
    key: str
    floor: float = DEFAULT_FLOOR
    _codes: list[Codes] = field(default_factory=list)
    _refinements: list[Refinements] = field(default_factory=list)
    _bands: list[list[NDArray[np.uint16]]] = field(default_factory=list)
    _label_bands: dict[str, LabelBands] = field(default_factory=dict)
    _n_samples: int = 0

    def __post_init__(self) -> None:
        self._bands = [[] for _ in self.spec.labels]
        self._label_bands = {
            label: LabelBands.of(self.spec.front_end, self.post_processing[label])
            for label in self.spec.labels
        }

    def add(self, segment: Scores) -> None:
        """Add the next segment; no detection above the floor may reach across its ends."""
        codes, refinements = encode_scores(segment.values)
        fine = codes >= first_refined_code(self.floor)
        self._codes.append(codes)
        refinements = refinements[fine]
        self._refinements.append(refinements)
        self._n_samples = segment.n_samples
        values = decode_refined(codes, refinements, fine)
        for column, label in enumerate(self.spec.labels):
            self._bands[column].append(self._segment_bands(segment, values[:, column], label))

    def _segment_bands(
        self, segment: Scores, values: NDArray[np.float32], label: str
    ) -> NDArray[np.uint16]:
        """Bands of all runs of a label, as indices of edges `(run, 2)`."""
        processing = self.post_processing[label]
        gap = segment.grid.frames(processing.merge_gap_s)
        smoothed = smooth(values, segment.grid.frames(processing.smoothing_s))
        runs = runs_with_bands(smoothed, lowest_score(first_refined_code(self.floor)), gap)
        if len(runs) == 0:
            return np.zeros((0, 2), np.uint16)
        # A new run with these settings would have features only where scores are above its lowest
        # off-threshold. A merged detection can span other frames, which must not count.
        needed = lowest_off_threshold(self.post_processing)
        levels = np.minimum.reduceat(np.append(merged(smoothed, gap), np.inf), runs.ravel())[::2]
        frames = segment.feature_frames - segment.start
        loud = segment.values[frames].max(axis=1) > needed
        bands = self._label_bands[label]
        features = dequantize(segment.features[:, bands.inside])
        high = levels >= needed
        spectra = np.empty((len(runs), features.shape[1]))
        spectra[~high] = mean_spectra(frames, features, runs[~high])
        spectra[high] = mean_spectra(frames[loud], features[loud], runs[high])
        return bands.extents(spectra)

    def pack(self) -> bytes:
        """Pack everything into the bytes of a file."""
        codes = np.concatenate(self._codes)
        bands = [np.concatenate(each) for each in self._bands]
        parts = [
            # Huffman coding alone. Noise has no repetitions, so a search for them takes a hundred
            # times as long, and its result is larger.
            _compressed(_differences(codes), zlib.Z_HUFFMAN_ONLY),
            pack_refinements(np.concatenate(self._refinements)),
            _compressed(np.concatenate(bands).T.tobytes(), zlib.Z_DEFAULT_STRATEGY),
        ]
        grid = self.spec.front_end.grid
        merging = [
            grid.frames(self.post_processing[label].merge_gap_s) for label in self.spec.labels
        ]
        header = {
            "key": self.key,
            "samples": self._n_samples,
            "frames": len(codes),
            "fine": first_refined_code(self.floor),
            "gaps": merging,
            "bands": [len(each) for each in bands],
            "bytes": [len(part) for part in parts],
        }
        text = json.dumps(header, separators=(",", ":")).encode()
        whole = b"".join([MAGIC, len(text).to_bytes(4, "little"), text, *parts])
        return whole + _checksum(whole)


def _checksum(content: bytes) -> bytes:
    """CRC-32. Most flipped bits would otherwise give other scores and no error."""
    return zlib.crc32(content).to_bytes(4, "little")


def _compressed(content: bytes, strategy: int) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
    return coder.compress(content) + coder.flush()


def _differences(codes: Codes) -> bytes:
    """Codes `(frame, label)` as differences from frame to frame, label by label."""
    before = np.zeros((1, codes.shape[1]), np.uint8)
    return np.diff(codes, axis=0, prepend=before).T.tobytes()


@dataclass(frozen=True, slots=True)
class KeptScores:
    """The scores of a recording as a file holds them.

    Args:
        key: hash of the model and the recording that they belong to.
        n_samples: length of the recording at the model's rate.
        values: `(frame, label)` in [0, 1].
        floor: scores from here on have 20 bits and bands.
        gaps: frames over which detections of each label were merged.
        bands: of the frames `[first, last)` of each run, edges as indices, label by label.
    """

    key: str
    n_samples: int
    values: NDArray[np.float32]
    floor: float
    gaps: tuple[int, ...]
    bands: tuple[Mapping[tuple[int, int], tuple[int, int]], ...]

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
        packed, refining, banding = (content[a:b] for a, b in pairwise(ends))
        shape = (len(spec.labels), header["frames"])
        differences = zlib.decompress(packed, -zlib.MAX_WBITS)
        steps = np.frombuffer(differences, np.uint8).reshape(shape)
        codes = np.cumsum(steps, axis=1, dtype=np.uint8).T
        fine = codes >= header["fine"]
        refinements = unpack_refinements(refining, int(fine.sum()))
        values, level = decode_refined(codes, refinements, fine), lowest_score(header["fine"])
        numbers = zlib.decompress(banding, -zlib.MAX_WBITS)
        edges = np.frombuffer(numbers, np.uint16).reshape(2, -1).T
        bands = []
        for column, label in enumerate(spec.labels):
            smoothing_s = spec.post_processing[label].smoothing_s
            smoothed = smooth(values[:, column], spec.front_end.grid.frames(smoothing_s))
            runs = runs_with_bands(smoothed, level, header["gaps"][column])
            mine, edges = edges[: len(runs)], edges[len(runs) :]
            if not len(runs) == len(mine) == header["bands"][column]:
                raise ValueError("their bands do not fit them")
            bands.append(
                dict(zip(map(tuple, runs.tolist()), map(tuple, mine.tolist()), strict=True))
            )
        gaps = tuple(header["gaps"])
        return cls(header["key"], header["samples"], values, level, gaps, tuple(bands))

    def same_gaps(self, spec: ModelSpec, post_processing: Mapping[str, PostProcessing]) -> bool:
        """Whether detections are merged over the gaps of the run that kept these scores."""
        grid = spec.front_end.grid
        wanted = (grid.frames(post_processing[label].merge_gap_s) for label in spec.labels)
        return tuple(wanted) == self.gaps

    def detect(
        self, spec: ModelSpec, post_processing: Mapping[str, PostProcessing]
    ) -> list[Detection]:
        """Find the detections with other post-processing, without reading the audio.

        Detections that reach below the floor have no band.
        """
        scores = Scores(
            spec.front_end.grid,
            spec.labels,
            self.values,
            np.zeros(0, np.int64),
            np.zeros((0, spec.front_end.n_bands), np.uint8),
            self.n_samples,
        )
        found = []
        for detection in detect(scores, spec.front_end, post_processing):
            low_hz, high_hz = self._band_hz(detection, spec, post_processing[detection.label])
            found.append(replace(detection, low_hz=low_hz, high_hz=high_hz))
        return found

    def _band_hz(
        self, found: Detection, spec: ModelSpec, processing: PostProcessing
    ) -> tuple[float, float] | tuple[None, None]:
        """Band of a detection; None where it is not kept."""
        if off_threshold(processing) < self.floor:
            return None, None
        grid, column = spec.front_end.grid, spec.labels.index(found.label)
        first = grid.frame(found.start_s)
        last = grid.n_frames(samples_at(found.end_s, grid.rate))
        known = self.bands[column]
        if (first, last) in known:
            bands = [known[first, last]]
        else:
            scores = smooth(self.values[first:last, column], grid.frames(processing.smoothing_s))
            level = off_threshold(processing)
            parts = first + hysteresis(scores, level, level)
            bands = [known[part] for part in map(tuple, parts.tolist()) if part in known]
        if not bands:
            return None, None
        edges_hz = LabelBands.of(spec.front_end, processing).edges_hz
        low_hz = edges_hz[min(low for low, _ in bands)]
        high_hz = edges_hz[max(high for _, high in bands)]
        return round(float(low_hz), 1), round(float(high_hz), 1)
