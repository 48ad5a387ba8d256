"""How well detections agree with events that people marked: three rules, counts, and the figures made of them.

Everything here is about **one label in one recording**, and about sums of such counts; a figure over many recordings comes from summed
counts, never from a mean of ratios. The rules differ in what they count:

`overlap10`
    The rule of the field. An event is **found** if one detection shares at least 10 % of *the event's* length with it. A detection is
    **true** if it shares at least 10 % of *an event's* length with that event, or lies wholly within the event. Detections that split an
    event are all true and one that spans several events finds them all: right for somebody who listens to every detection. So recall
    counts events and precision counts detections. The wording is that of ElephantCallAI's evaluation on whole days
    (github.com/paepcke/ElephantCallAI, functions `test_overlap` and `call_prec_recall`), which takes it from Keen et al. 2017 and whose
    published figures follow it.
`one_to_one`
    For counting calls. An event and a detection may be paired if they share at least 10 % of the event's length; each takes part in
    one pair at most. Of all such pairings that with the most pairs is taken and, among those, that with the most shared seconds.
    A second detection of the same event is false.
`per_second`
    For comparison with classifiers of short clips. Seconds `[k, k + 1)` of the recording are counted: one is an event's second, or a
    detection's, if any part of it is covered, as in the binary targets of `targets.py`; so no event is too short to count. "True
    events" and "detections" are numbers of seconds then, and false positives per hour are false seconds per hour.

**Marginal events** (`Event.marginal`) are neither positive nor negative: not finding one is no miss, and a detection that meets one
(as a detection must meet an event to be true by `overlap10`) and meets no certain event is left out: it is neither true nor false and
no part of precision. So is a detected second that a marginal event covers and no certain one.

Shared times within a microsecond of the limit pass, so that times which are rounded in tables decide as they are written.

Figures: precision = true / (true + false) and recall = found / (found + missed) are `None` where nothing is divided by nothing, not
0 or 1. F1 is their harmonic mean. It is 0 where one of them is `None` (the other is 0 then: something was marked or detected and nothing
agreed) and `None` where both are.

A detection has a score, so there are as many answers as thresholds: `curves.py` counts at all of them. What a figure may be in another
month of recordings is told by `resampling.py`, and whether scores mean what they say by `reliability.py`.

    rules.py         events and detections -> outcomes and counts
    figures.py       counts -> precision, recall, F1, false positives per hour, intervals
    curves.py        counts at every threshold, average precision, recall at a number of false positives per hour
    reliability.py   how often detections of a score are true
    resampling.py    the bootstrap over recordings, and two detectors compared

Sources: S. C. Keen, Y. Shiu, P. H. Wrege, E. D. Rowland, "Automated detection of low-frequency rumbles of forest elephants: a critical
tool for their conservation", J. Acoust. Soc. Am. 141(4), 2715-2726 (2017), doi 10.1121/1.4977476. F. Garwood, "Fiducial limits for the
Poisson distribution", Biometrika 28, 437-442 (1936). E. B. Wilson, "Probable inference, the law of succession, and statistical
inference", J. Am. Stat. Assoc. 22, 209-212 (1927). The pairing is a linear assignment (scipy, after Jonker and Volgenant 1987).
"""

from __future__ import annotations

from loxo.metrics.curves import RANKINGS, Curve, Ranked, curve, curve_of_scores
from loxo.metrics.figures import CONFIDENCE, Score, poisson_interval, score, wilson_interval
from loxo.metrics.reliability import Reliability, reliability
from loxo.metrics.resampling import FIGURES, Difference, bootstrap, differences, mcnemar, mean_precision_interval, resamples
from loxo.metrics.rules import RULES, Counts, Outcome, Timed, one_to_one, overlap10, per_second

__all__ = [
    "CONFIDENCE",
    "FIGURES",
    "RANKINGS",
    "RULES",
    "Counts",
    "Curve",
    "Difference",
    "Outcome",
    "Ranked",
    "Reliability",
    "Score",
    "Timed",
    "bootstrap",
    "curve",
    "curve_of_scores",
    "differences",
    "mcnemar",
    "mean_precision_interval",
    "one_to_one",
    "overlap10",
    "per_second",
    "poisson_interval",
    "reliability",
    "resamples",
    "score",
    "wilson_interval",
]
