"""What is needed of the company directory: both tokens, and every group that the settings name."""

from collections.abc import Iterator, Sequence

from bot import faults
from bot.examinations.patient import Patient, fine, wrong
from bot.settings import Settings, SettingsError
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
        found += [await _group(directory, *one) for one in _groups(patient.settings)]
    return found


_TOKENS = {"directory_token": "token for reading", "directory_write_token": "token for changing groups"}


def _groups(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield every group that the settings name, once, with where it is named."""
    named: dict[str, str] = {}
    access, emergency = settings.workflows.it_access, settings.workflows.break_glass
    if access is not None:
        for name, group in access.groups.items():
            named.setdefault(name, "it_access groups")
            for one in (*group.approvers, *((group.escalate_to,) if group.escalate_to else ())):
                named.setdefault(one, f"who decides on {name}")
    if emergency is not None:
        named.setdefault(emergency.reviewers, "reviewers of break_glass")
        for name, glass in emergency.groups.items():
            named.setdefault(name, "break_glass groups")
            named.setdefault(glass.approvers, f"who decides on {name} in an emergency")
    yield from named.items()


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
