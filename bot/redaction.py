"""Secrets and obvious personal values, taken out of what people write before it is kept.

Patterns, with checksums where a value has one (ISO 7812 for cards, ISO 13616 for IBANs). What has no form of
its own, such as a name or a street, is not found.
"""

import ipaddress
import re

from bot.render import clean

_SECRET, _NUMBER = "[secret]", "[number]"

_KEYED = r"(?:password|passwort|passphrase|passcode|pin|token|secret|api[ _-]?key|access[ _-]?key|pwd)"
_SECRETS = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        (r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?", 0),  # a JSON web token
        (r"\b(?:xox[a-z]|xapp|gh[opsur]|github_pat|glpat|sk|pk|rk|shpat|npm|pypi)[-_][\w-]{10,}", 0),
        (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", 0),
        (r"\bAIza[\w-]{30,}", 0),
        (r"(?<=\bbearer )[\w.~+/=-]{8,}", re.IGNORECASE),
        (r"(?<=://)[^\s/@:]+:[^\s/@]+(?=@)", 0),  # the login in an address
        (r"\b[0-9a-fA-F]{32,}\b", 0),
        (
            r"(?<![\w+/=-])(?=[\w+/=-]*[a-z])(?=[\w+/=-]*[A-Z])(?=[\w+/=-]*\d)[\w+/-]{20,}={0,2}(?![\w+/=-])",
            0,
        ),
    )
)
_SAID = re.compile(rf"\b({_KEYED}\b(?:\s+is|\s+was|\s*[:=])\s*[\"'`]?)([^\s\"'`]{{3,}})", re.IGNORECASE)
_PERSON = re.compile(r"<@[A-Z0-9]+(?:\|[^>]*)?>")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_NAME = re.compile(r"\b([Mm]y name is|[Mm]y name's)\s+[A-Z][\w'-]+(?:\s+[A-Z][\w'.-]+)*")
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{2,4}){2,8}\b")
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:])"
)
_DIGITS = re.compile(r"(?<![\w.,-])\+?\(?\d(?:[ ().x/-]{0,3}\d){6,24}(?!\w|-\d)")
_SECTIONS = 32  # parts of a section's number stay below
_DATE = re.compile(
    r"\b(?:(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:[12]\d|3[01]|0?[1-9])"
    r"|(?:[12]\d|3[01]|0?[1-9])[-/.](?:[12]\d|3[01]|0?[1-9])[-/.](?:(?:19|20)\d\d|\d\d)"
    r"|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d)\b(?![-/.]\d)"
)


def redacted(text: str, limit: int) -> str:
    """Return the text on one line of at most `limit` characters, with marks such as `[email]` for values."""
    text = " ".join(clean(text[:10_000]).split())
    for pattern in _SECRETS:
        text = pattern.sub(_SECRET, text)
    text = _SAID.sub(_told, text)
    text = _PERSON.sub("[person]", text)
    text = _EMAIL.sub("[email]", text)
    text = _NAME.sub(r"\1 [name]", text)
    text = _IBAN.sub(_account, text)
    text = _ADDRESS.sub(_address, text)
    text = _DIGITS.sub(_numbered, text)
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _told(match: re.Match[str]) -> str:
    """Take out what is said to be a password, unless it is an everyday word: "my password is expired"."""
    value = match[2].rstrip(".,;?!")
    everyday = value.isalpha() and (value.islower() or value.istitle())
    return match[0] if everyday and not match[1].rstrip("\"'` ").endswith("=") else f"{match[1]}{_SECRET}"


def _account(match: re.Match[str]) -> str:
    """Take out an IBAN; words that follow it may look like groups of it."""
    text = match[0]
    for end in [len(text), *(blank.start() for blank in reversed([*re.finditer("[ -]", text)]))]:
        if _is_iban(text[:end]):
            return f"[IBAN]{text[end:]}"
    return text


def _is_iban(text: str) -> bool:
    code = re.sub(r"[ -]", "", text).upper()
    if not 15 <= len(code) <= 34:
        return False
    return int("".join(str(int(mark, 36)) for mark in code[4:] + code[:4])) % 97 == 1


def _address(match: re.Match[str]) -> str:
    """Take out an IP address, but not the number of a section such as 4.2.1.3."""
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return match[0]
    return match[0] if max(address.packed) < _SECTIONS and address.version == 4 else "[IP address]"


def _numbered(match: re.Match[str]) -> str:
    """Take out what is too long for an amount: cards, telephone, personal and account numbers; keep dates."""
    digits = re.sub(r"\D", "", match[0])
    if 13 <= len(digits) <= 19 and _is_card(digits):
        return "[card]"
    return match[0] if len(re.sub(r"\D", "", _DATE.sub("", match[0]))) < 7 else _NUMBER


def _is_card(digits: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0
