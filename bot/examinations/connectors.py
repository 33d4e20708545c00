"""What is needed of each outside system that the settings switch on: its credentials, and a sign of life."""

from collections.abc import Sequence

from bot import credentials, faults, systems
from bot.examinations.patient import Patient, fine, wrong
from bot.settings import SettingsError
from connectors.base import Finding
from connectors.errors import ConnectorError
from connectors.sdk import secret_of


async def examine(patient: Patient) -> Sequence[Finding]:
    """Ask each system with each of its credentials. Nothing is changed."""
    found: list[Finding] = []
    given: dict[str, str] = {}
    for scope in credentials.scopes(patient.settings):
        name = secret_of(scope)
        try:
            given[scope] = patient.secret(name)
        except SettingsError as error:
            found.append(wrong(name, "missing", str(error)))
    if found:
        return found
    for system in systems.connectors(patient.settings, given):
        try:
            async with system.open() as opened:
                acting = {one.scope: one for one in opened.operations}
                seen = [await one.ping() for one in acting.values()]
        except ConnectorError as error:
            fault = faults.of(error)
            mend = f"Look at [connectors.{system.name}], and at the secrets of it: countersign secrets list"
            found.append(wrong(system.title, f"{fault.said()}: {error}", mend))
        else:
            found += [fine(system.title, one.detail) for one in seen]
    return found
