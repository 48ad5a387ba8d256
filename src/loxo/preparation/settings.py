"""All options of the preparation, and which of them each step depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from loxo.events import BACKGROUND, EVENT_LABELS
from loxo.recordings.sites import SiteRule, read_site_rule
from loxo.splits import SplitBy, SplitSettings

__all__ = ["COMMON_OPTIONS", "STEPS", "PrepareSettings"]

COMMON_OPTIONS = ("data", "dev", "connection", "anonymous")
"""Options of every command: folders and connection. Results do not depend on them."""

_WINDOWS = ("labels", "clip_length", "marginal", "seed")
STEPS: dict[str, tuple[str, ...]] = {
    "table": (
        "recordings",
        "rumbles",
        "gunshots",
        "tables",
        "map",
        "labels",
        "timezone",
        "root",
        "site_from",
        "refresh",
        "seed",
    ),
    "background": ("ratio", "margin", "detections", "hard_share", *_WINDOWS),
    "clips": (
        "channel",
        "split_by",
        "validation",
        "test",
        "test_recordings",
        "root",
        "jobs",
        *_WINDOWS,
    ),
    "resample": ("rate", "jobs"),
}
"""Options of each step."""
_NO_RESULT = frozenset({"refresh", "jobs", *COMMON_OPTIONS})
"""Options that change no file that a step writes."""


class PrepareSettings(BaseModel):
    """All options of `loxo prepare`, under the names that they have there.

    Args:
        recordings: folders, files, prefixes or addresses of recordings.
        rumbles: tables whose rows are rumbles where they have no label of their own.
        gunshots: tables whose rows are gunshots where they have no label of their own.
        tables: tables that name a label in each row.
        map: other names of labels, each `tir=Gunshot` or the path of a file of such lines.
        labels: labels of the events that clips are cut around; other events are kept in the
            training table only.
        timezone: zone of the times in file names.
        root: folder or prefix that paths of recordings are relative to; None takes the one given in
            `recordings`, or the deepest one that they share.
        site_from: level of folders below the root, or a table, that gives the sites.
        refresh: list remote recordings again instead of using the kept listing.
        ratio: background clips for each clip with events.
        margin: least seconds between background and any event.
        detections: results of `loxo detect`; those far from all events become background.
        hard_share: largest share of the background that such false positives may be.
        clip_length: seconds of a clip, at most.
        channel: channel of recordings with several, from 1; None takes their mean.
        marginal: whether clips are cut around events in doubt, too.
        split_by: unit that is never divided between train, validation and test.
        validation: share of the clips of each label for validation.
        test: share of the clips of each label for testing.
        test_recordings: file that names recordings for testing, even if they exceed the share.
        rate: samples per second of the resampled clips.
        jobs: recordings or clips that are processed at a time; 0 chooses.
        seed: the same seed gives the same clips.
        data: folder to write to.
        dev: a small trial, in the folder `dev` of `data`.
        connection: file with the connection to S3.
        anonymous: read public buckets without keys.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recordings: tuple[str, ...] = ()
    rumbles: tuple[str, ...] = ()
    gunshots: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    map: tuple[str, ...] = ()
    labels: tuple[str, ...] = EVENT_LABELS
    timezone: str | None = None
    root: str | None = None
    site_from: str | None = None
    refresh: bool = False
    ratio: float = Field(default=1.0, ge=0)
    margin: float = Field(default=10.0, ge=0)
    detections: Path | None = None
    hard_share: float = Field(default=0.5, ge=0, le=1)
    clip_length: float = Field(default=20.0, ge=0.1, le=3600)
    channel: int | None = Field(default=None, ge=1)
    marginal: bool = True
    split_by: SplitBy = "recording"
    validation: float = Field(default=0.15, ge=0, le=1)
    test: float = Field(default=0.15, ge=0, le=1)
    test_recordings: Path | None = None
    rate: int = Field(default=8000, ge=100, le=384_000)
    jobs: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)
    data: Path = Path("data")
    dev: bool = False
    connection: Path | None = None
    anonymous: bool = False

    @field_validator("recordings", "rumbles", "gunshots", "tables", "map", "labels", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        """Turn a single text into a list, and a mapping into a list of `key=value`."""
        if isinstance(value, dict):
            return tuple(f"{key}={label}" for key, label in value.items())
        return (value,) if isinstance(value, str) else value

    @field_validator("labels")
    @classmethod
    def _separate_labels(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        names = [name.strip() for text in labels for name in text.split(",")]
        if not names:
            raise ValueError("no label is given; clips are cut around events of at least one")
        for name in names:
            if not name or name == BACKGROUND or "/" in name or "\\" in name or name[0] == ".":
                raise ValueError(f"{name!r} cannot be a label: it must do as the name of a folder")
        if len({name.casefold() for name in names}) < len(names):
            raise ValueError(f"{', '.join(names)}: a label is given twice")
        return tuple(names)

    @field_validator("site_from", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        _zone(name)
        return name

    @model_validator(mode="after")
    def _possible_shares(self) -> Self:
        SplitSettings(self.split_by, self.validation, self.test, self.seed)
        return self

    @property
    def split(self) -> SplitSettings:
        return SplitSettings(self.split_by, self.validation, self.test, self.seed)

    @property
    def zone(self) -> ZoneInfo | None:
        return _zone(self.timezone)

    @property
    def site_rule(self) -> SiteRule:
        """How the site of a recording is found.

        Raises:
            ValueError: if `site_from` is no level and no table that can be read.
        """
        return read_site_rule(self.site_from)

    def of_step(self, step: str) -> dict[str, Any]:
        """Options that a step's result depends on, as JSON values."""
        return self.model_dump(mode="json", include=set(STEPS[step]) - _NO_RESULT)


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name}: no such zone; write it as Africa/Brazzaville") from error
