"""How well detections agree with events that people marked: three rules, counts and metrics.

Everything here is about **one label in one recording**, and about sums of such counts. A metric
over many recordings comes from summed counts, never from a mean of ratios. The rules differ in what
they count:

`overlap10`
    The rule of the field. An event is **found** if one detection shares at least 10 % of *the
    event's* length with it. A detection is **true** if it shares at least 10 % of *an event's*
    length with that event, or lies wholly within the event. Detections that split an event are all
    true, and one that spans several events finds them all: right for a person who listens to every
    detection. So recall counts events and precision counts detections. The wording is that of
    ElephantCallAI's evaluation on whole days (github.com/paepcke/ElephantCallAI, functions
    `test_overlap` and `call_prec_recall`), which takes it from Keen et al. 2017 and whose published
    figures follow it.
`one_to_one`
    For counting calls. An event and a detection may be paired if they share at least 10 % of the
    event's length; each is in one pair at most. The pairing with the most pairs is taken and, among
    those, the one with the most shared seconds. A second detection of the same event is false.
`per_second`
    For comparison with classifiers of short clips. Seconds `[k, k + 1)` of the recording are
    counted. A second belongs to an event, or to a detection, if any part of it is covered, as in
    the binary targets of `targets.py`; so no event is too short to count. Under this rule "true
    events" and "detections" are numbers of seconds, and false positives per hour are false seconds
    per hour.

**Marginal events** (`Event.marginal`) are neither positive nor negative. One that is not found is
not missed. A detection that meets a marginal event (as a detection must meet an event to be true by
`overlap10`) and no certain event is **ignored**: it is neither true nor false, and not part of the
precision. The same holds for a detected second that a marginal event covers and no certain one.

Limits are met within a microsecond, because tables round times.

Precision = true / (true + false) and recall = found / (found + missed) are `None` where nothing is
divided by nothing, not 0 or 1. F1 is their harmonic mean. It is 0 where one of them is `None` (the
other is 0 then: something was marked or detected, and nothing agreed) and `None` where both are.

A detection has a score, so there is an answer for each threshold; a `Matching` holds them all.

    overlaps.py      events and detections -> pairs that share time, seconds that are covered
    pairing.py       the best pairing of events and detections
    matching.py      the three rules: found events, true detections, counts, at all thresholds
    scores.py        counts -> precision, recall, F1, false positives per hour, intervals
    shots.py         numbers of gunshots in bursts, by groups of events and detections
    curves.py        counts at every threshold, average precision, recall at a false-positive rate
    reliability.py   how often detections of a score are true
    resampling.py    the bootstrap over recordings, and the comparison of two detectors

Sources: S. C. Keen, Y. Shiu, P. H. Wrege, E. D. Rowland, "Automated detection of low-frequency
rumbles of forest elephants: a critical tool for their conservation", J. Acoust. Soc. Am. 141(4),
2715-2726 (2017), doi 10.1121/1.4977476. F. Garwood, "Fiducial limits for the Poisson distribution",
Biometrika 28, 437-442 (1936). E. B. Wilson, "Probable inference, the law of succession, and
statistical inference", J. Am. Stat. Assoc. 22, 209-212 (1927). The pairing is a linear assignment
(SciPy, after Jonker and Volgenant 1987).
"""

from __future__ import annotations

from loxo.metrics.curves import Curve, curve, curve_of_scores
from loxo.metrics.matching import RULES, Counts, Matching, one_to_one, overlap10, per_second
from loxo.metrics.overlaps import Timed
from loxo.metrics.reliability import Reliability, reliability
from loxo.metrics.resampling import (
    METRICS,
    Difference,
    average_precision_interval,
    bootstrap,
    differences,
    mcnemar,
    resamples,
)
from loxo.metrics.scores import (
    CONFIDENCE,
    Score,
    f1_score,
    poisson_interval,
    score,
    wilson_interval,
)
from loxo.metrics.shots import GroupAgreement, ShotCounts, shot_counts

__all__ = [
    "CONFIDENCE",
    "METRICS",
    "RULES",
    "Counts",
    "Curve",
    "Difference",
    "GroupAgreement",
    "Matching",
    "Reliability",
    "Score",
    "ShotCounts",
    "Timed",
    "average_precision_interval",
    "bootstrap",
    "curve",
    "curve_of_scores",
    "differences",
    "f1_score",
    "mcnemar",
    "one_to_one",
    "overlap10",
    "per_second",
    "poisson_interval",
    "reliability",
    "resamples",
    "score",
    "shot_counts",
    "wilson_interval",
]
