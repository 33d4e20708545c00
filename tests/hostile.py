"""A model that says anything: lies about real sentences, links and calls in all disguises, and noise.

Every lie differs in meaning from the sentence that it is made from, so a lie that is kept is a mistake.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

LINKS = (
    "https://evil.example/x", "http://evil.example", "HTTPS://EVIL.EXAMPLE", "evil.example/login",
    "www.evil.example", "[the form](https://evil.example)", "<https://evil.example|the form>",
    "![x](https://evil.example/i.png)", "<a href='//evil.example'>form</a>", "hxxps://evil[.]example",
    "//evil.example", "javascript:alert(1)", "mailto:a@evil.example", "data:text/html,hi",
    "evil\u3002example", "evil\uff0eexample", "slack://user?id=U1", "https:\u2044\u2044evil.example",
    "tel:+31201234567", "ftp://evil.example", "evil dot example", "a@evil.example",
)  # fmt: skip
CALLS = (
    "<!channel>", "<!here>", "<!everyone>", "<@U0ADA>", "<!subteam^S1>", "@channel", "@here", "@everyone",
    "&lt;!channel&gt;", "<#C0GENERAL>", "\uff20here", "@\u200bhere", "<\u200b!channel>", "<!date^1^x|now>",
    ":tada:",
)  # fmt: skip
MARKUP = (
    "<b>{}</b>", "*{}*", "`{}`", "```{}```", "> {}", "# {}", "<script>{}</script>", "~{}~", "_{}_", "| {} |",
)  # fmt: skip
HIDDEN = (
    "\u200b", "\u200d", "\u202e", "\u2066", "\u00ad", "\ufeff", "\U000e0041", "\u0336", "\x07", "\u2062",
)  # fmt: skip
LOOKALIKES = str.maketrans("aceopxyABEHKMOPTX", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443"
                           "\u0410\u0412\u0415\u041d\u041a\u041c\u041e\u0420\u0422\u0425")  # fmt: skip
MORE = (
    " and your password is needed", " unless HR agrees", ", but managers decide", " for contractors", " not",
    " only in May", " or ask a colleague", " within 2 days", " without approval", " free of charge",
    " at any time", " if you pay first",
)  # fmt: skip
MODALS = (
    ("must", "may"), ("may", "must"), ("should", "must"), ("can", "must"), ("cannot", "can"),
    ("must", "should"),
)  # fmt: skip
QUALIFIERS = ("if", "unless", "when", "before", "after", "until", "except", "within", "only")
# Whose loss or move changes nothing, or nothing that is sure.
IDLE = frozenset({
    "strictly", "however", "therefore", "additionally", "furthermore", "moreover", "please", "simply",
    "kindly", "that", "this", "those", "these", "there", "being", "been", "also", "will", "which", "their",
    "where", "would", "about", "other", "every",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lie:
    """What the model says, and of what kind it is. `text`: the sentence that must not be kept."""

    kind: str
    reply: str
    text: str


Change = Callable[[str, random.Random], str | None]


def number(sentence: str, chance: random.Random) -> str | None:
    found = list(re.finditer(r"\d+", sentence))
    if not found:
        return None
    match = chance.choice(found)
    value = max(0, int(match[0]) + chance.choice((-1, 1, 9, 10, 100)))
    return (
        None if value == int(match[0]) else sentence[: match.start()] + str(value) + sentence[match.end() :]
    )


def unit(sentence: str, chance: random.Random) -> str | None:
    units = ("days", "weeks", "months", "hours", "years", "minutes")
    here = [one for one in units if re.search(rf"\b{one}\b", sentence)]
    if not here:
        return None
    old = chance.choice(here)
    return re.sub(rf"\b{old}\b", chance.choice([one for one in units if one != old]), sentence, count=1)


def negation(sentence: str, chance: random.Random) -> str | None:
    dropped = re.sub(
        r"\b(?:do not|does not|not|never|no|cannot)\s", "", sentence, count=1, flags=re.IGNORECASE
    )
    if dropped != sentence:
        return dropped
    return _after(sentence, r"\b(?:is|are|must|may|can|should|will)\b", "not")


def modality(sentence: str, chance: random.Random) -> str | None:
    here = [(old, new) for old, new in MODALS if re.search(rf"\b{old}\b", sentence)]
    if not here:
        return None
    old, new = chance.choice(here)
    return re.sub(rf"\b{old}\b", new, sentence, count=1)


def condition(sentence: str, chance: random.Random) -> str | None:
    match = re.search(rf",?\s(?:{'|'.join(QUALIFIERS)})\b", sentence)
    return sentence[: match.start()] + "." if match and match.start() > 20 else None


def omission(sentence: str, chance: random.Random) -> str | None:
    words = sentence.split()
    telling = [
        place
        for place, word in enumerate(words)
        if len(word) > 4 and word.isalpha() and word.lower() not in IDLE
    ]
    if len(words) < 5 or not telling:
        return None
    place = chance.choice(telling)
    return " ".join(words[:place] + words[place + 1 :])


def exchange(sentence: str, chance: random.Random) -> str | None:
    words = sentence.split()
    telling = [
        place
        for place, word in enumerate(words)
        if len(word) > 3 and word.isalpha() and word.lower() not in IDLE
    ]
    if len(telling) < 2:
        return None
    one, two = chance.sample(telling, 2)
    if words[one].lower() == words[two].lower():
        return None
    words[one], words[two] = words[two], words[one]
    return " ".join(words)


def addition(sentence: str, chance: random.Random) -> str | None:
    return sentence.rstrip(".") + chance.choice(MORE) + "."


def name(sentence: str, chance: random.Random) -> str | None:
    found = list(re.finditer(r"(?<=[a-z] )[A-Z][a-z]{3,}", sentence))
    if not found:
        return None
    match = chance.choice(found)
    return (
        sentence[: match.start()]
        + chance.choice(("Mallory", "Springfield", "Acme"))
        + sentence[match.end() :]
    )


def link(sentence: str, chance: random.Random) -> str | None:
    return _with(sentence, chance.choice(LINKS), chance)


def call(sentence: str, chance: random.Random) -> str | None:
    return _with(sentence, chance.choice(CALLS), chance)


def markup(sentence: str, chance: random.Random) -> str | None:
    return chance.choice(MARKUP).format(sentence)


def hidden(sentence: str, chance: random.Random) -> str | None:
    place = chance.randrange(1, len(sentence))
    return sentence[:place] + chance.choice(HIDDEN) + sentence[place:]


def lookalike(sentence: str, chance: random.Random) -> str | None:
    places = [place for place, char in enumerate(sentence) if ord(char) in LOOKALIKES]
    if not places:
        return None
    place = chance.choice(places)
    return sentence[:place] + sentence[place].translate(LOOKALIKES) + sentence[place + 1 :]


def figures(sentence: str, chance: random.Random) -> str | None:
    shift = chance.choice((0x0660, 0xFF10, 0x1D7CE)) - ord("0")
    changed = re.sub(r"[0-9]", lambda match: chr(ord(match[0]) + shift), sentence)
    return changed if changed != sentence else None


CHANGES: tuple[Change, ...] = (
    number, unit, negation, modality, condition, omission, exchange, addition, name, link, call, markup,
    hidden, lookalike, figures,
)  # fmt: skip


def lies(
    sentences: Sequence[str], strangers: Sequence[str], *, count: int, seed: int
) -> Iterator[tuple[int, Lie]]:
    """Yield `count` lies, each with the place of the sentence that it is about."""
    chance = random.Random(seed)
    made = 0
    while made < count:
        place = chance.randrange(len(sentences))
        true = sentences[place]
        pick = chance.random()
        if pick < 0.78:
            change = chance.choice(CHANGES)
            text = change(true, chance)
            if text is None or text == true:
                continue
            kind = change.__name__
        elif pick < 0.9:
            stranger = " ".join(chance.choice(strangers).split())[:400]
            text = chance.choice((stranger, f"{true} {stranger}", f"{stranger} {true}"))
            kind = "instruction"
        elif pick < 0.95:
            text, kind = chance.choice(sentences), "wrong citation"
            if text == true:
                continue
        else:
            text = "".join(chr(chance.randrange(32, 0x2FFF)) for _ in range(chance.randrange(200)))
            kind = "noise"
        made += 1
        yield place, Lie(kind, _as_reply(text, kind, chance), text)


def _as_reply(text: str, kind: str, chance: random.Random) -> str:
    marks = [1] if kind == "wrong citation" else chance.choice(([1], [1], [1, 2], [1, 7], [99], [], [-1]))
    match chance.randrange(4):
        case 0:
            return text + "".join(f" [{mark}]" for mark in marks)
        case 1:
            return f"Sure!\n```json\n{json.dumps({'sentences': [{'text': text, 'passages': marks}]})}\n```"
        case 2:
            body = {"sentences": [{"text": text, "passages": marks}], "note": "trust me"}
            return json.dumps(body) + f"\n{text} [1]"
        case _:
            return json.dumps({"sentences": [{"text": text, "passages": marks}]}, ensure_ascii=False)


def _with(sentence: str, extra: str, chance: random.Random) -> str:
    words = sentence.split()
    place = chance.randrange(len(words) + 1)
    return " ".join([*words[:place], extra, *words[place:]])


def _after(sentence: str, pattern: str, word: str) -> str | None:
    match = re.search(pattern, sentence)
    return f"{sentence[: match.end()]} {word}{sentence[match.end() :]}" if match else None
