"""What is needed of the policies: a whole edition that serves, and the clauses that the workflows name."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg

from bot import serving
from bot.examinations.database import working
from bot.examinations.patient import Patient, fine, wrong
from bot.settings import Settings
from bot.shelf import is_in_force
from bot.workflows import clauses
from connectors.base import Finding
from graphs.sections import ClauseRef
from knowledge.edition import Edition
from knowledge.errors import KnowledgeError
from knowledge.serving import CurrentFile
from knowledge.verify import changed_files

_INGEST = "Read the policies: countersign ingest SOURCE"


async def examine(patient: Patient) -> Sequence[Finding]:
    """Look which edition serves, whether its files are as they were, and for the clauses of the settings."""
    settings = patient.settings
    try:
        name = await _serves(settings)
    except KnowledgeError as error:
        return [wrong("serving", str(error), _INGEST)]
    if name is None:
        return [wrong("serving", "no edition serves, so nothing is answered", _INGEST)]
    return await asyncio.to_thread(_examined, settings, name)


async def _serves(settings: Settings) -> str | None:
    if not serving.has_database(settings):
        return await asyncio.to_thread(CurrentFile(settings.home).current)
    try:
        async with working(settings) as conn:
            cursor = await conn.execute("SELECT edition FROM edition_activation ORDER BY seq DESC LIMIT 1")
            row = await cursor.fetchone()
    except psycopg.errors.UndefinedTable:  # a database that no bot has migrated yet
        row = None
    return str(row["edition"]) if row is not None else None


def _examined(settings: Settings, name: str) -> Sequence[Finding]:
    folder = settings.home / "editions" / name
    if not folder.is_dir():
        mend = "Bring the folder from the machine that has it, or ingest here."
        return [wrong("serving", f"edition {name} serves, and {folder} is not there", mend)]
    try:
        changed = changed_files(folder)
        edition = Edition(folder)
    except (KnowledgeError, OSError) as error:
        return [wrong("serving", f"edition {name} cannot be opened: {error}", _INGEST)]
    try:
        found = [fine("serving", f"edition {name}: {len(edition.documents)} documents")]
        if changed:
            mend = "Read the policies again, which makes a whole one: countersign ingest"
            found.append(wrong("files", f"{len(changed)} of edition {name} were changed: {changed[0]}", mend))
        else:
            found.append(fine("files", "each is what it was when the edition was made"))
        found += [_clause(edition, workflow, clause) for workflow, clause in clauses(settings)]
    except (KnowledgeError, OSError) as error:
        found = [wrong("serving", f"edition {name} cannot be read: {error}", _INGEST)]
    finally:
        edition.close()
    return found


def _clause(edition: Edition, workflow: str, clause: ClauseRef) -> Finding:
    name, where = f"clause of {workflow}", f"{clause.document}#{clause.anchor}"
    section = edition.section(clause.document, clause.anchor)
    mend = f"Correct [workflows.{workflow}] clause, or add the section to the policies and ingest."
    if section is None:
        return wrong(name, f"the edition has no {where}, so every request is refused", mend)
    if not is_in_force(section, datetime.now(UTC).date()):
        return wrong(name, f"{where} is not in force today, so every request is refused", mend)
    return fine(name, where)
