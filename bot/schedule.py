"""When something is done again: "30m", "1h", "daily 03:00 Europe/Amsterdam", or a cron line with a zone."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_SHORTEST = timedelta(minutes=5)
_HELP = 'must be such as "30m", "1h", "daily 03:00 Europe/Amsterdam" or "0 3 * * 1-5 Europe/Amsterdam"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """Either an interval, or a cron line in a time zone."""

    every: timedelta | None = None
    cron: str = ""
    zone: str = "UTC"

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read a schedule. Raises ValueError with what it must be."""
        text = " ".join(text.split())
        interval = re.fullmatch(r"(\d{1,4})([mhd])", text)
        if interval:
            every = timedelta(seconds=int(interval[1]) * _UNITS[interval[2]])
            if every < _SHORTEST:
                raise ValueError("must be five minutes or more")
            return cls(every=every)
        daily = re.fullmatch(r"daily ([01]?\d|2[0-3]):([0-5]\d)(?: (\S+))?", text)
        if daily:
            return cls(cron=f"{int(daily[2])} {int(daily[1])} * * *", zone=_zone(daily[3] or "UTC"))
        words = text.split(" ")
        line = " ".join(words[:5])
        if len(words) not in {5, 6} or not croniter.is_valid(line):
            raise ValueError(_HELP)
        return cls(cron=line, zone=_zone(words[5] if len(words) == 6 else "UTC"))

    def after(self, moment: datetime) -> datetime:
        """Return the next time after a moment, in UTC."""
        if self.every is not None:
            return moment + self.every
        found: datetime = croniter(self.cron, moment.astimezone(ZoneInfo(self.zone))).get_next(datetime)
        return found.astimezone(UTC)


def zone_of(*names: str) -> tzinfo:
    """Return the first of these time zones that this machine knows; else UTC."""
    for name in filter(None, names):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    return UTC


def known_zone(name: str) -> str:
    """Return a time zone's name. Raises ValueError where this machine does not know it."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"the time zone {name!r} is not known; give one such as Europe/Amsterdam") from error
    return name


def _zone(name: str) -> str:
    try:
        return known_zone(name)
    except ValueError as error:
        raise ValueError(f"the time zone {name!r} is not known; {_HELP}") from error
