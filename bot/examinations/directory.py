"""What is needed of the company directory: both tokens, and every group that the settings name."""

from collections.abc import Sequence

from bot import faults
from bot.examinations.patient import Patient, fine, wrong
from bot.settings import SettingsError
from bot.workflows import named_groups
from connectors.base import Finding
from connectors.directory import Directory, open_directory
from connectors.errors import ConnectorError

WITHIN = 10.0  # seconds for one answer


async def examine(patient: Patient) -> Sequence[Finding]:
    """Ask the directory with each token, and for each group of the settings. Nothing is changed."""
    where = patient.settings.directory
    if where is None:
        return []
    found: list[Finding] = []
    tokens: dict[str, str] = {}
    for secret, what in _TOKENS.items():
        try:
            tokens[secret] = patient.secret(secret)
            async with open_directory(where.url, tokens[secret], within=WITHIN) as directory:
                await directory.ping()
            found.append(fine(what, f"accepted by {where.url}"))
        except SettingsError as error:
            found.append(wrong(what, "there is none", str(error)))
        except ConnectorError as error:
            found.append(_failed(what, error, f"countersign secrets set {secret}"))
    if not found[0].ok:
        return found
    reads, writes = (tokens.get(secret) for secret in _TOKENS)
    async with open_directory(where.url, reads or "", write_token=writes, within=WITHIN) as directory:
        found += await directory.examine()
        found += [await _group(directory, *one) for one in named_groups(patient.settings).items()]
    return found


_TOKENS = {"directory_token": "token for reading", "directory_write_token": "token for changing groups"}


async def _group(directory: Directory, name: str, where: str) -> Finding:
    what = f"group {name} ({where})"
    try:
        group = await directory.find_group(name)
    except ConnectorError as error:
        return _failed(what, error, "Correct the name in the settings, or make one such group.")
    return fine(what, f"its id is {group.id}")


def _failed(name: str, error: ConnectorError, mend: str) -> Finding:
    fault = faults.of(error)
    if fault.mends == "time":
        mend = "Look whether it is up and whether [directory] url is right, and ask again."
    return wrong(name, f"{fault.said()}: {error}", mend)
