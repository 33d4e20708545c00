"""Whether everything that the configured features need is there: each part asked apart, within its time.

Nothing is changed, migrated or started but the embedded database server, which every command starts. A part
that is down is a finding, and the others are examined all the same.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import credentials, faults, homes, policies, strength, workflows
from bot.demo import home as demo
from bot.examinations import connectors, converter, database, directory, editions, model, slack, work
from bot.examinations.patient import Patient, fine, wrong
from bot.settings import Settings, SettingsError, load
from bot.storage.cluster import DatabaseUnavailable
from connectors.base import Finding
from connectors.errors import ConnectorError
from connectors.secrets import demo_key, open_secrets

ROOM = 1_000_000_000  # bytes that an ingest, the log and the database may want before somebody looks again
PYTHON = (3, 11)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of an installation, and what was found of it."""

    name: str
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether all that is needed of it is there."""
        return all(finding.ok for finding in self.findings)


Examine = Callable[[Patient], Awaitable[Sequence[Finding]]]


async def examine(home: Path, config: Path | None = None) -> AsyncIterator[Part]:
    """Yield what is found of each part, in a fixed order."""
    yield Part(name="home", findings=_home(home))
    try:
        settings = await asyncio.to_thread(load, home, config, as_it_is=True)
    except SettingsError as error:
        yield Part(name="settings", findings=[wrong("countersign.toml", str(error), "Change what it names.")])
        return
    patient = Patient(settings=settings, key=_demo_key(home))
    yield Part(name="settings", findings=_settings(settings, config))
    begun = [asyncio.create_task(_within(part, patient)) for part in _parts(settings)]
    try:
        for task in begun:
            yield await task
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


def _parts(settings: Settings) -> Sequence[tuple[str, Examine, float]]:
    parts: list[tuple[str, Examine, float]] = [
        ("secrets", _secrets, 20),
        ("slack", slack.examine, 40),
        ("directory", directory.examine, 40),
        ("database", database.examine, 90),
        ("editions", editions.examine, 120),
        ("converter", converter.examine, 60),
        ("work", work.examine, 90),
    ]
    if any(settings.connectors.items()):
        parts.append(("connectors", connectors.examine, 60))
    return [*parts, ("model", model.examine, 60)] if settings.model is not None else parts


async def _within(part: tuple[str, Examine, float], patient: Patient) -> Part:
    """Examine one part within its time, and answer for whatever goes wrong."""
    name, look, seconds = part
    try:
        async with asyncio.timeout(seconds):
            found = await look(patient)
    except TimeoutError:
        found = [wrong(name, f"no answer within {seconds:g} s", "Look whether it hangs, and ask again.")]
    except (SettingsError, DatabaseUnavailable) as error:
        found = [wrong(name, str(error), "Change what it names.")]
    except Exception as error:  # the edge: a doctor that falls over says nothing of the other parts
        said = str(error) or type(error).__name__
        found = [wrong(name, f"{faults.of(error).said()}: {said}", "Look at what it says, and ask again.")]
    return Part(name=name, findings=found)


def _home(home: Path) -> Sequence[Finding]:
    found = [wrong("closed to others", flaw.said, flaw.mend) for flaw in homes.flaws(home)]
    if not found:
        found.append(fine("closed to others", f"{home} is open to its owner alone"))
    place = next((one for one in (home, *home.parents) if one.exists()), home)
    free = shutil.disk_usage(place).free
    room = f"{free / 1e9:.1f} GB are free for {home}"
    if free < ROOM:
        found.append(wrong("disk", room, f"Make room: at least {ROOM / 1e9:g} GB, or choose another home."))
    else:
        found.append(fine("disk", room))
    return found


def _settings(settings: Settings, config: Path | None) -> Sequence[Finding]:
    file = config or settings.home / "countersign.toml"
    found = [fine("countersign.toml", f"{file} is read" if file.exists() else f"there is no {file}")]
    if sys.version_info[:2] < PYTHON:
        found.append(wrong("python", sys.version.split()[0], "Use Python 3.11 or newer."))
    if settings.directory is None:
        mend = "Add the section [directory] with url and issuer (docs/configuration.md)."
        found.append(wrong("directory", "no directory is configured, and the bot does not start", mend))
    if not any(settings.workflows.items()):
        found.append(fine("workflows", "none is switched on: the bot answers, and nothing can be asked for"))
    try:
        workflows.require_served(settings)
    except SettingsError as error:
        found.append(wrong("workflows", str(error), "Change what it names."))
    try:
        policies.of(settings)
        found.append(fine("policies", "they load"))
    except SettingsError as error:
        found.append(wrong("policies", str(error), "Correct the file: countersign policy check"))
    return found


async def _secrets(patient: Patient) -> Sequence[Finding]:
    return await asyncio.to_thread(_kept, patient)


def _kept(patient: Patient) -> Sequence[Finding]:
    settings = patient.settings
    found = []
    given = settings.secrets_key
    key = given.get_secret_value() if given is not None else patient.key
    if given is not None and (why := strength.weakness(given.get_secret_value())):
        found.append(
            wrong("COUNTERSIGN_SECRETS_KEY", f"too weak: {why}", f"{strength.ADVICE}, then: secrets rekey")
        )
    try:
        store = open_secrets(home=settings.home, key=key)
        store.names()
        found.append(fine("place", f"secrets are kept in {store!r}"))
    except ConnectorError as error:
        found.append(wrong("place", str(error), "Set COUNTERSIGN_SECRETS_KEY: countersign secrets key"))
        return found
    for name in credentials.needed(settings):
        try:
            patient.secret(name)
            found.append(fine(name, "there"))
        except SettingsError as error:
            found.append(wrong(name, "missing", str(error)))
    for name in credentials.OWN_KEYS:
        try:
            made = credentials.has_own(settings, name, key=patient.key)
            found.append(fine(name, "there" if made else "not yet made: the bot does at its first start"))
        except SettingsError as error:
            mend = f"Bring it from a machine or a backup that has it: countersign secrets set {name}"
            found.append(wrong(name, str(error), mend))
    return found


def _demo_key(home: Path) -> str | None:
    try:
        return demo_key(home) if demo.is_demo(home) else None
    except ConnectorError:
        return None  # the secrets say so
