"""The ticket of an access: opened before it is granted, closed when it is, and else taken back."""

from dataclasses import replace

from connectors.tickets import Close, Closing, NewTicket, OpenTicket
from graphs.sdk import Person, Plan, ref, step

KEYWORD, OPEN = "access", "unread"  # as the ticket system calls them: what it is about, and how it begins


def with_ticket(plan: Plan, person: Person, group: str) -> Plan:
    """Return the plan with a ticket around its one step. Once access is granted it stays, come what may."""
    (grant,) = plan.steps
    words = "".join(letter for letter in person.name if letter.isprintable())
    opened = NewTicket(
        title=f"Access to {group} for {words}"[:200],
        text=f"{person.name} ({person.email}) has asked for access to {group}: {plan.reason}",
        keywords=(KEYWORD,),
        about=(person.user_name,),
    )
    closed = Closing(ticket=ref("ticket.ticket"), was=OPEN, text=f"Access to {group} was granted.")
    return replace(
        plan,
        steps=(
            step("ticket", OpenTicket, opened),
            replace(grant, undo="pivot"),
            step("closing", Close, closed),
        ),
    )
