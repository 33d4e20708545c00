"""What is left of a person after a week of real use and an erasure: in every table, in every file."""

import json
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests import town, week
from tests.figures.record import Figure, none_wrong

WHO = "ben.castellanos@larkfield.example"


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Live a week, erase Ben, and look for him; quick or not, it is the same week."""
    with tempfile.TemporaryDirectory(prefix="privacy-") as name:
        folder = Path(name)
        home = await town.fresh(folder / "home")
        async with town.open_town(home) as opened:
            lived = await week.use(opened, folder / "pages")
            _, before = await week.rows_with(home, week.WORDS)
            first = await _erase(home, code=1)
            assert first["documents"] == [week.DOCUMENT], first
            await week.handbook(home, lived.documents, who="Somebody")
            second = await _erase(home, code=0)
            assert second["complete"], second
            left, found = await week.rows_with(home, week.WORDS)
            verified = json.loads(await week.command("audit", "verify", "--home", str(home), "--json"))
            _, others = await week.rows_with(home, week.OTHERS)
            members = await opened.members(lived.lent.group)
        files, named = week.files_with(home, week.WORDS)
    sys.stderr.write(f"privacy: before {before}\nprivacy: left {found} {named}\n")
    words = f"name, address, ids or {len(week.WORDS) - 4} reasons of a person"
    what = f"rows of all tables in which {words} stand after a week of use and the erasure"
    counted = sum(map(len, before.values()))
    yield none_wrong("R2", f"{what}; before, {counted} in {len(before)} tables", tried=left, wrong=len(found))
    what = f"files of the home, the stopped database's too, in which {words} stand"
    yield none_wrong("R2", what, tried=files, wrong=len(named), least=100)
    kept = {word for told in others.values() for word in told}
    wrong = len(set(week.OTHERS) - kept) + (not verified["holds"]) + len(members)
    what = "other people's words that are not there, a record that does not verify, access that has not ended"
    yield none_wrong("R2", what, tried=len(week.OTHERS) + 2, wrong=wrong)


async def _erase(home: Path, *, code: int) -> dict[str, object]:
    said = await week.command("privacy", "erase", WHO, "--yes", "--json", "--home", str(home), codes=(code,))
    told: dict[str, object] = json.loads(said)
    return told
