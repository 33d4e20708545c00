"""Answers from the policies, with the sections they quote."""

from collections.abc import Iterator

from bot.blocks import feedback, parts, policy
from bot.blocks.parts import Block, Message, View
from bot.render import Markup, bold, clean, join, link, ours, quoted, safe, size, web_address
from knowledge.answer import Answer, Citation, Passage
from knowledge.documents import Section

SHOW = "section.show"

_LEADS = {
    "answered": "Here is what our policies say:",
    "cautioned": "I am not sure that this answers your question. The closest I found:",
    "not_covered": "I did not find this in our policies.",
}
_CITATIONS = 6
_NEAREST = 3
_WINDOW = 60_000  # characters of a section that a window shows


def answer(found: Answer, *, rate: str | None = None) -> Message:
    """Draw an answer: each quote with its citation, or the nearest sections and whom to ask.

    `rate` is the id under which it can be rated.
    """
    lead = ours(_LEADS[found.status])
    rating = [] if rate is None else [feedback.buttons(rate)]
    return parts.message(_text(found, lead), [*_body(found, lead), *rating])


_LINKS = 8  # shown below a section


def section(found: Section) -> View:
    """Draw the window that shows a section."""
    where = _path(found)
    facts = [safe(found.title, 200)]
    if found.owner:
        facts.append(join(ours("Owner: "), safe(found.owner, 150)))
    if found.effective is not None:
        facts.append(ours(f"In force since {found.effective.isoformat()}"))
    target = web_address(found.url)
    if target is not None:
        facts.append(link(target, "Open the document"))
    body = list(policy.whole(clean(found.text[:_WINDOW])))
    blocks = [parts.section(bold(safe(where, 300))), parts.context(*facts), *body[:90]]
    linked = [
        link(address, words, 75) for words, url in found.links[:_LINKS] if (address := web_address(url))
    ]
    if linked:
        blocks.append(parts.context(ours("Leads to:"), *linked))
    return parts.modal("Policy section", blocks)


def _path(found: Section) -> str:
    """Return the headings above the section and its own, without the document's title."""
    headings = found.path[1:] if found.path[:1] == (found.title,) else found.path
    return " > ".join(headings) or found.title


def missing_section() -> View:
    """Say that there is nothing to show to this person."""
    text = ours("I cannot show you this section: it is not there any more, or it is not for you.")
    return parts.modal("Policy section", [parts.section(text)])


def place(value: str) -> tuple[str, str]:
    """Read the value of a "Show section" button: document and anchor."""
    document, _, anchor = value.rpartition("#")
    return document, anchor


def _text(found: Answer, lead: Markup) -> Markup:
    if found.worded:
        return join(lead, ours(" "), safe(found.answer, 600))
    if not found.citations:
        return lead
    return join(lead, ours(" "), safe(found.citations[0].quote, 600))


def _body(found: Answer, lead: Markup) -> Iterator[Block]:
    yield parts.section(lead)
    if found.worded and clean(found.answer).strip():
        yield parts.section(safe(found.answer))
        yield parts.context(ours("Worded by a language model. What counts is quoted here:"))
    for number, citation in enumerate(found.citations[:_CITATIONS], start=1):
        yield _quote(number, citation)
    for note in found.notes[:5]:
        if note.strip():
            yield parts.context(safe(note, 500))
    if found.status != "answered":
        yield from _elsewhere(found)


def _quote(number: int, citation: Citation) -> Block:
    label = f"{citation.title}, {citation.section}" if citation.section != citation.title else citation.title
    source = join(ours(f"[{number}] "), link(citation.url, label))
    text = join(quoted(citation.quote, 2000), ours("\n"), source)
    return parts.section(text, accessory=_show(citation))


def _show(found: Citation | Passage) -> Block | None:
    value = f"{found.document}#{found.anchor}"
    if web_address(found.url) is not None or size(value) > 2000:
        return None
    return parts.button("Show section", action=SHOW, value=value, label=f"Show the section {found.section}")


def _elsewhere(found: Answer) -> Iterator[Block]:
    nearest = [passage for passage in found.passages if not _is_cited(passage, found)][:_NEAREST]
    if nearest:
        yield parts.section(ours("The nearest sections:"))
    for passage in nearest:
        label = f"{passage.title}, {passage.section}" if passage.section != passage.title else passage.title
        yield parts.section(join(ours("• "), link(passage.url, label)), accessory=_show(passage))
    whom = safe(found.owner, 200) if found.owner else ours("your manager")
    yield parts.context(join(ours("Whom to ask: "), whom))


def _is_cited(passage: Passage, found: Answer) -> bool:
    return any((each.document, each.anchor) == (passage.document, passage.anchor) for each in found.citations)
