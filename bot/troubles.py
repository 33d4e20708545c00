"""What is said when something is in the way of a click or a message: the system, what stands, what helps."""

from bot import faults, sentences
from bot.faults import Fault, capital
from bot.identity import Refused, Unknown
from bot.render import Markup, join, ours


def refusal(error: Refused | Unknown, *, of_another: bool = False) -> Markup:
    """Say to whoever clicked or wrote why nothing was done: we do not act for them, or cannot tell who it is.

    `of_another` where it is not about them but about somebody whom they chose.
    """
    if isinstance(error, Refused):
        return ours(sentences.REFUSALS[error.key])
    who = "whom you chose" if of_another else "who you are"
    why = error.fault.said()
    if error.fault.known == "connector.conflict":
        whose = "their" if of_another else "your"
        several = ours(f" has several people with {whose} e-mail address. Nothing was done. Please ask IT.")
        return join(ours(f"I cannot check {who}: "), faults.name(error.fault.system), several)
    return join(ours(f"I cannot check {who}: "), why, ours(". Nothing was done. "), _advice(error.fault))


def trouble(error: BaseException, *, stands: str = "Nothing was done.") -> Markup:
    """Say what went wrong, with which system, and what stands: for an error without words of its own."""
    fault = faults.of(error)
    return join(capital(fault.said()), ours(f". {stands} "), _advice(fault))


def window(error: BaseException, *, stands: str = "Nothing was done.") -> Markup:
    """Say why a window did not open. `stands` is what has been done before it was to open."""
    fault = faults.of_slack(error)
    if fault.key == "slack.unavailable":  # it may have opened all the same
        unseen = ours("Slack did not say whether it opened the window. ")
        return join(unseen, ours(f"{stands} If you see none, please try again in a minute."))
    why = join(ours("Slack did not open the window: "), fault.said())
    return join(why, ours(f". {stands} "), _advice(fault))


def _advice(fault: Fault) -> Markup:
    if fault.mends == "time":
        return ours("Please try again." if fault.key == "slack.late" else "Please try again in a minute.")
    if fault.mends == "operator":
        return ours("Please tell whoever operates me: to try again does not help before it is mended.")
    return ours("To try again does not help.")
