"""How recordings are read in a run, and what it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from zoneinfo import ZoneInfo

from loxo.annotations import AUDACITY_SUFFIX
from loxo.model_folder import PostProcessing
from loxo.recordings import SiteRule

__all__ = ["ENDINGS", "FORMATS", "PICTURE_ENDING", "SCORES_ENDING", "RunSettings"]

FORMATS = ("raven", "audacity", "csv", "parquet")
"""What can be written; `detections.parquet` is written by every run."""
ENDINGS: Mapping[str, str] = {"raven": ".selections.txt", "audacity": AUDACITY_SUFFIX}
"""Endings of the formats that have one file for each recording."""
SCORES_ENDING = ".scores"
PICTURE_ENDING = ".png"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How recordings are read in a run, and what it writes.

    Args:
        post_processing: thresholds, lengths and gaps, by label.
        formats: some of `FORMATS`.
        channel: counted from 0; None takes the mean of all.
        timezone: zone of the times in file names; None leaves start times unknown unless a name
            has a zone.
        sites: how the site of a recording is found.
        keep_scores: whether to write the scores of each recording (see `loxo.runs.kept_scores`).
    """

    post_processing: Mapping[str, PostProcessing]
    formats: tuple[str, ...] = ("raven", "parquet")
    channel: int | None = None
    timezone: ZoneInfo | None = None
    sites: SiteRule = field(default_factory=SiteRule)
    keep_scores: bool = True

    def to_json(self) -> dict[str, object]:
        """The settings as `run.json` stores them."""
        timezone = None if self.timezone is None else str(self.timezone)
        return {
            "post_processing": {
                label: asdict(processing) for label, processing in self.post_processing.items()
            },
            "formats": list(self.formats),
            "channel": self.channel,
            "timezone": timezone,
            "keep_scores": self.keep_scores,
        }
