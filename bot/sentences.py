"""Every sentence that a person reads about a key: of a refusal, a step, a notice, an answer to a click."""

from collections.abc import Callable, Mapping
from datetime import datetime

from bot import faults, lexicon
from bot.differences import VOID, difference, void
from bot.faults import Fault, capital
from bot.render import Markup, bold, date, join, line, ours, safe
from graphs.records import Answered, RunStatus

REFUSALS: Mapping[str, str] = {
    "guest": "I work for members of this workspace only, not for guests. Please ask a colleague.",
    "stranger": "I work for members of this workspace only.",
    "bot": "I do not take instructions from other apps.",
    "deactivated": "Your Slack account is deactivated, so I cannot act for you.",
    "no_email": "Your Slack profile has no e-mail address, so I cannot find you in the company directory.",
    "not_in_directory": "I cannot find the e-mail address of your Slack profile in the company directory. "
    "Please ask IT.",
    "inactive": "The company directory says that your account is not active, so I cannot act for you.",
    "changed": "Your Slack account used to belong to somebody else in the company directory. "
    "Please ask IT to look into it before I act for you.",
    "unavailable": "I cannot check who you are at the moment. Nothing was done.",  # `refusal` says why
}

ANSWERS: Mapping[Answered, str] = {
    Answered.RECORDED: "Your decision is recorded.",
    Answered.ALREADY_DECIDED: "This has already been decided. Your click changed nothing.",
    Answered.ALREADY_VOTED: "Your approval, or that of whoever stands in for you, is counted already. "
    "Your click changed nothing.",
    Answered.REPLACED: "This card is out of date: a newer one shows what has changed. Nothing was done.",
    Answered.EXPIRED: "The time to decide on this is over. Nothing was done.",
    Answered.OWN_REQUEST: "You cannot decide on your own request. Somebody else has to countersign it.",
    Answered.OWN_CHANGE: "You cannot decide on what you changed yourself. Somebody else has to "
    "countersign it.",
    Answered.NOT_ALLOWED: "You are not among those who may decide on this. Nothing was done.",
    Answered.NOT_YOURS: "Only whoever asked for this can do that. Nothing was done.",
    Answered.WITHDRAWN: "This request was withdrawn, so there is nothing to decide. Nothing was done.",
    Answered.BEGUN: "It has begun: I have started to carry this out, so it cannot be withdrawn any more.",
    Answered.CLOSED: "This request is closed already. Your click changed nothing.",
    Answered.NOT_ACTIVE: "The company directory says that your account is not active. Nothing was done.",
    Answered.FORBIDDEN: "A rule of your company does not let you decide on this. Nothing was done.",
    Answered.NOT_CHECKED: "My rules gave no answer to whether you may decide on this. Nothing was done. "
    "Please tell whoever operates me.",
    Answered.TOO_FEW_LEFT: "Whoever changes this may not approve it, and without you too few could. "
    "Nothing was changed.",
    Answered.NOT_CHANGED: "This changes nothing, or it does not fit. Nothing was changed.",
    Answered.FOR_REQUESTER: "You stand in for somebody who has a part in this request, so you cannot "
    "decide on it for them. Nothing was done.",
    Answered.TOOK_PART: "You had a part in this, so somebody else has to sign it off.",
    Answered.UNREACHABLE: "I have to ask the company directory about the people who may decide here, and it "
    "cannot answer me now. Nothing was done. Please try again in a minute.",
    Answered.UNREADABLE: "I have to ask the company directory about the people who may decide here. It "
    "answers, but not in a way that I can use. Nothing was done. Please tell whoever operates me.",
    Answered.REASON_MISSING: "A denial needs a reason.",
    Answered.DAMAGED: "The record of this card is not as it was written, so I cannot act on it. "
    "Nothing was done. Please tell whoever operates me.",
    Answered.NO_SUCH_CARD: "I do not know this card. Nothing was done.",
}

NO_WORDS = (
    "I read only what you write yourself: neither files nor messages that you pass on. Nothing was done. "
    "Please write your question in words."
)
ASKED_ALREADY = (
    "You changed this message after I had made a request of it. The request stands as you first wrote it, or "
    "as it has ended; your change did nothing. To ask for something else, please write a new message."
)

ELSEWHERE = (
    "This button does not belong to this message: it is a copy of a card, or somebody has changed it. "
    "Nothing was done. Please use the card that I posted for it."
)
FOREIGN = (
    "I have no record of this card: another installation of me posted it, or its record is gone. I did "
    "nothing. Please ask whoever operates me."
)

PROBLEMS: Mapping[str, str] = {
    "required": "This is needed.",
    "not_a_number": "Enter a whole number.",
    "too_small": "This is too small.",
    "too_large": "This is more than the policy allows.",
    "not_an_option": "Choose one of the list.",
    "too_long": "This is too long.",
    "too_short": "This is too short.",
    "not_in_pattern": "This is not in the form that is needed here.",
    "too_few": "Choose more of the list.",
    "too_many": "You have chosen more than is possible here.",
    "not_an_amount": "Enter digits with a decimal point, without thousands separators, such as 1500.00.",
    "too_precise": "This has more decimal places than are possible here.",
    "which_unit": "Add the unit or currency, one of those that are possible here, after the number.",
    "not_a_date": "Enter a date as year-month-day, such as 2026-12-05.",
    "not_a_time": "Enter a time as hours and minutes, such as 14:30.",
    "not_yes_or_no": "Answer yes or no.",
    "not_yours": "Only the person who asked can fill this in.",
    "closed": "This request is closed already.",
}

_REASONS: Mapping[str, str] = {
    "person_inactive": "the company directory says that this person's account is not active",
    "not_requestable": "nobody may ask for this group here",
    "no_such_group": "the company directory has no group of the name that the settings have for it",
    "group_gone": "the group is no longer in the company directory",
    "group_ambiguous": "the company directory has several groups of the name that the settings have for it",
    "clause_unreadable": "the policies cannot be read at the moment, and without the section that governs "
    "such requests I may not go on; whoever operates me can mend that",
    "clause_missing": "the policy section that governs such requests cannot be found, so I may not go on",
    "already_member": "they are a member already",
    "too_long": "that is longer than the policy allows",
    "too_many_minutes": "that is longer than the policy allows",
    "expired": "nobody decided in time",
    "withdrawn": "it was withdrawn, because the data of whoever asked are erased",
    "window_passed": "it was approved, but could not be carried out in time",
    "not_authorised": "the rules do not allow it",
    "record_changed": "the record of it is not as it was written, so I do not act on it",
    "rules_not_checked": "my rules gave no answer; whoever operates me can mend that",
    "unknown_effect": "I cannot tell whether it was carried out; a person has to look",
    "not_approved": "it is not approved",
    "nothing_to_reverse": "there is nothing to take back",
    "connector_refused": "the system that has to carry it out refuses",
    "approval_used": "one approval is for one action, and that had been carried out",
    "taken_back": "nobody could tell whether it had been carried out, so a person had it taken back",
    "plan_invalid": "what would have to be done for it is planned in a way that nobody can approve; whoever "
    "operates me can mend that",
    "not_connected": "a system that it needs is not connected here; whoever operates me can mend that",
    "not_found": "a system that I need has no record of somebody or something that this is about",
    "nothing_to_do": "everything that was asked for is so already",
    "not_its_turn": "a step of it was about to be done before the one that it rests on, and was stopped",
    "changed": "something changed after it was approved, so what was approved no longer fits",
    "clause": "the policy section that governs it has changed since it was approved",
    "voter_lost": "somebody who had approved it may not approve it any more",
    "edited": "an approver changed what is asked for",
    "narrowed": "an approver took something away from what is asked for",
    "person_erased": "somebody who had approved or changed it has been erased",
    "confirm_not_permitted": "you would confirm it alone, and the settings do not permit that for this kind "
    "of request; whoever operates me can change that",
    "confirm_not_alone": "it would need nobody's approval but yours, and that is not enough: it cannot be "
    "undone, or it concerns somebody else",
    "nobody_may_approve": "there is nobody who may approve it",
    "still_there": "the company directory still shows the access, although I took it away; somebody who "
    "looks after the directory has to take it away there",
    "in_new_group": "the group was deleted and made anew, and the new one has this person in it too. I did "
    "not put them there, so I leave it; somebody who looks after the directory has to look",
}
_SEEN: Mapping[str, tuple[str, str]] = {  # around the name of the system
    "read_back_failed": ("", " does not show what I was told to do there; a person has to look"),
    "not_found": ("", " has no record of somebody or something that this is about"),
    "cannot_be_undone": ("it cannot be taken back in ", " by me; a person has to"),
}

_STEPS: Mapping[str, str] = {
    "requested": "Requested",
    "collected": "Everything needed is known",
    "checked": "Checked against the directory and the policy",
    "planned": "Sent for approval",
    "to_confirm": "Sent to whoever asked, to confirm",
    "approved": "Approved",
    "said_so": "Confirmed",
    "granted": "Access granted",
    "confirmed": "Carried out",
    "scheduled_end": "End scheduled",
    "revoked": "Access ended",
    "refused": "Closed",
    "failed": "Went wrong",
    "unknown": "Needs a person: I cannot tell whether it was carried out",
    "retrying": "Something went wrong; I try again",
    "dead": "Stopped: tried too often",
    "undone": "Taken back",
    "kept": "Could not be taken back; a person has to look",
}
_DETAILS: Mapping[str, tuple[str, str, str]] = {  # which fact is said, and what stands around it
    "planned": ("approvers", " to ", ""),
    "approved": ("by", " by ", ""),
    "said_so": ("by", " by ", ""),
    "undone": ("operation", " (", ")"),
    "kept": ("operation", " (", ")"),
}


def standing(status: RunStatus, facts: Mapping[str, str]) -> Markup:
    """Say where a run stands, in a few words."""
    if status is RunStatus.RETRYING and "error" in facts:
        return join(capital(faults.of_facts(facts).said()), ours("; I keep trying"))
    if status is RunStatus.DEAD and "error" in facts:
        return join(ours("Stopped: "), faults.of_facts(facts).said())
    if status is RunStatus.WAITING and facts.get("confirmed"):
        return ours("Waiting for whoever asked to confirm it")
    if status is RunStatus.REFUSED and facts.get("stands", "nothing") not in {"nothing", "undone"}:
        return ours("Closed, and not everything is taken back")
    if status is RunStatus.REFUSED and facts.get("stands") == "undone":
        return ours("Closed, and what had been done is taken back")
    return ours(_STANDINGS[status])


def stands(facts: Mapping[str, str]) -> Markup:
    """Say what of a run's doing stands outside; nothing where nobody noted it."""
    return ours(_STANDS.get(facts.get("stands", ""), ""))


def problem(key: str) -> str:
    """Say what is wrong with a field."""
    return PROBLEMS.get(key, "This cannot be used.")


def reason(key: str | None, facts: Mapping[str, str]) -> Markup:
    """Say why a run ended, in half a sentence."""
    key = key or ""
    said = _of_system(key, facts) or _of_change(key, facts) or _of_facts(key, facts)
    return said or lexicon.sentence(key, facts) or ours(_REASONS.get(key, "it could not be carried out"))


def _of_system(key: str, facts: Mapping[str, str]) -> Markup | None:
    """Name the system that is the reason."""
    if key == "connector_refused" and facts.get("error"):
        return faults.of_facts(facts).said()
    if key in _SEEN and (facts.get("system") or key != "not_found"):
        return join(ours(_SEEN[key][0]), faults.name(facts.get("system", "")), ours(_SEEN[key][1]))
    return None


def _of_change(key: str, facts: Mapping[str, str]) -> Markup | None:
    """Say what has changed since it was asked for, or since it was approved."""
    if key == "withdrawn" and facts.get("of") == "requester":
        return ours("whoever asked has withdrawn it")
    if key == "voter_lost" and facts.get("by"):
        return join(ours(_REASONS[key]), ours(" ("), line(facts["by"], 300), ours(")"))
    if key == "changed" and facts.get("changed"):
        changed = ", ".join(difference(name) for name in facts["changed"].split("\n"))
        return join(ours(_REASONS[key]), ours(" ("), line(changed, 400), ours(")"))
    return None


def _of_facts(key: str, facts: Mapping[str, str]) -> Markup | None:
    """Say the reason in the words of its facts, where they are there."""
    if key == "denied":
        by = safe(facts.get("by", "an approver"), 200)
        return join(ours("denied by "), by, _colon(facts.get("reason", "")))
    if key == "too_few_may_approve":
        needed, found = safe(facts.get("needed", "?"), 10), safe(facts.get("found", "?"), 10)
        return join(needed, ours(" people have to approve it, and only "), found, ours(" may"))
    if key == "person_inactive" and facts.get("gone"):
        return ours("the company directory has no account of this person")
    if key == "too_long" and facts.get("most"):
        most = safe(facts["most"], 40)
        return join(ours("that is longer than the policy allows ("), most, ours(" days)"))
    if key in _OF_GROUPS and facts.get("group"):
        return join(ours(_REASONS[key]), ours(" ("), safe(facts["group"], 100), ours(")"))
    return None


_OF_GROUPS = frozenset({"no_such_group", "group_gone", "group_ambiguous"})


def step(key: str, facts: Mapping[str, str]) -> Markup:
    """Say what happened in a run."""
    if key in {"dead", "retrying"} and "error" in facts:
        return standing(RunStatus(key), facts)
    said = ours(_STEPS.get(key, "")) or safe(key.replace("_", " ").capitalize(), 100)
    name, before, after = _DETAILS.get(key, ("", "", ""))
    if facts.get(name):
        said = join(said, ours(before), line(facts[name], 200), ours(after))
    until = _moment(facts.get("until"))
    return said if until is None else join(said, ours(", until "), date(until))


def notice(key: str, facts: Mapping[str, str], *, stand: Markup | None = None) -> Markup:
    """Say something new in a run's thread. `stand`: what stands of a plan of several steps."""
    kind = key.partition(":")[0]
    if key in _TOLD:
        return _TOLD[key](facts)
    if kind in VOID and kind != "withdrawn":
        seen = " You see a new card." if facts.get("confirmed") else " The approvers see a new card."
        return join(void(kind, facts), ours(seen))
    if key in _ENDINGS:
        said = join(ours(_ENDINGS[key]), reason(facts.get("key"), facts), ours("."))
        return _also(said, stands(facts) if stand is None else stand)
    if key in {"retrying", "dead"}:
        return _trouble(key, facts, stand)
    if kind == "unknown" and facts.get("confirmed"):
        return ours(_UNKNOWN_ALONE)
    return lexicon.sentence(kind, facts) or ours(_NOTICES.get(kind, "There is news about this request."))


def _granted(facts: Mapping[str, str]) -> Markup:
    until = _moment(facts.get("until"))
    end = ours("") if until is None else join(ours(" until "), date(until), ours("; it ends by itself"))
    by = facts.get("by")
    who = ours("") if not by else join(ours(" Approved by "), safe(by, 200), ours("."))
    return join(ours("Done: access to "), _group(facts), end, ours("."), who)


def _done(facts: Mapping[str, str]) -> Markup:
    until = _moment(facts.get("until"))
    ends = (
        ours("")
        if until is None
        else join(ours(" What is for a time ends by itself, the last of it "), date(until), ours("."))
    )
    by = facts.get("by")
    who = ours("") if not by else join(ours(" Approved by "), line(by, 200), ours("."))
    return join(ours("Done: everything that was approved has been carried out."), ends, who)


def _revoked(facts: Mapping[str, str]) -> Markup:
    return join(ours("The access to "), _group(facts), ours(" has ended, as agreed."))


def _group_deleted(facts: Mapping[str, str]) -> Markup:
    ended = ours(" has been deleted, and the access to it ended with it.")
    return join(ours("The group "), _group(facts), ended)


def _was_before(facts: Mapping[str, str]) -> Markup:
    stays = ours(" was there before I gave it, so I leave it as it is.")
    return join(ours("The time that was asked for is over. The access to "), _group(facts), stays)


def _denied(facts: Mapping[str, str]) -> Markup:
    by = safe(facts.get("by", "an approver"), 200)
    return join(ours("The request was denied by "), by, _colon(facts.get("reason", "")), ours("."))


def _group(facts: Mapping[str, str]) -> Markup:
    return bold(safe(facts.get("group", "the group"), 150))


def _trouble(key: str, facts: Mapping[str, str], stand: Markup | None) -> Markup:
    """Say what keeps a run from going on, what stands meanwhile, and who does something about it."""
    fault = faults.of_facts(facts)
    if facts.get("ends"):
        return _not_ended(key, facts, fault)
    if key == "retrying" and (facts.get("sent") == "maybe" or fault.key == "connector.ambiguous"):
        return join(capital(faults.name(fault.system)), ours(_UNCONFIRMED))
    said = _also(join(capital(fault.said()), ours(".")), stands(facts) if stand is None else stand)
    if key == "dead":
        return join(said, ours(" I have stopped trying. Whoever operates me can have it tried again."))
    if fault.mends == "time":
        return join(said, ours(" I keep trying by myself."))
    return join(said, ours(" I keep trying, but whoever operates me has to mend it first."))


def _not_ended(key: str, facts: Mapping[str, str], fault: Fault) -> Markup:
    """Say why an access that was to end may stand."""
    system = faults.name(fault.system)
    why = join(system, ours(" does not show it")) if fault.key == "connector.ambiguous" else fault.said()
    how = ours(". I try again every hour." if key == "dead" else ". I try again by myself.")
    urgent = join(ours(" If it is urgent, have it taken away in "), system, ours("."))
    return join(
        ours("I cannot confirm that the access to "), _group(facts), ours(" has ended: "), why, how, urgent
    )


_TOLD: Mapping[str, Callable[[Mapping[str, str]], Markup]] = {
    "done": _done,
    "granted": _granted,
    "revoked": _revoked,
    "group_deleted": _group_deleted,
    "was_before": _was_before,
    "denied": _denied,
}
_NOTICES: Mapping[str, str] = {
    "withdrawn": "You have withdrawn this request. Nothing was done, and nobody has to decide any more.",
    "expired": "Nobody decided in time, so nothing was done. You can ask again with the button above.",
    "unknown": "I cannot tell whether this was carried out, so I will not try again. The approvers have been "
    "asked to look.",
    "stuck": "Something went wrong on my side while I worked on this, several times. What you see above is "
    "what stands. I look at it again every ten minutes; whoever runs me finds what happened in my log.",
    "late": "This may have been carried out twice: a call was answered after another worker had taken over. "
    "A person has to look.",
}
_UNKNOWN_ALONE = (
    "I cannot tell whether this was carried out, so I will not try again. Please look there, and answer the "
    "card in our conversation."
)
_ENDINGS: Mapping[str, str] = {
    "refused": "This cannot be done: ",
    "failed": "This went wrong: ",
}


_UNCONFIRMED = (
    " did not confirm what I sent. I keep looking whether it was carried out, and will not send it twice."
)
_STANDINGS: Mapping[RunStatus, str] = {
    RunStatus.STARTED: "Received",
    RunStatus.COLLECTING: "Waiting for you: something is missing",
    RunStatus.CHECKING: "Being checked",
    RunStatus.WAITING: "Waiting for approval",
    RunStatus.EXECUTING: "Being carried out",
    RunStatus.RETRYING: "Something went wrong; I keep trying",
    RunStatus.DEAD: "Stopped: tried too often",
    RunStatus.SCHEDULED: "Scheduled",
    RunStatus.UNKNOWN: "Needs a person: I cannot tell whether it was carried out",
    RunStatus.DONE: "Done",
    RunStatus.REFUSED: "Closed without being carried out",
    RunStatus.FAILED: "Failed",
}
_STANDS: Mapping[str, str] = {
    "nothing": "I have changed nothing.",
    "maybe": "It may have been carried out or not.",
    "done": "I have carried it out, and not taken it back.",
    "undone": "I had carried it out, and have taken it back.",
    "still": "I have not ended what was to end.",
    "maybe_still": "What was to end may have ended or not.",
    "ended": "I have ended what was to end.",
}


def _also(said: Markup, more: Markup) -> Markup:
    return join(said, ours(" "), more) if more else said


def _colon(text: str) -> Markup:
    return join(ours(": "), safe(text, 1000)) if text else ours("")


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
