"""Workflows and connectors as the settings switch them on: found by name, and refused with what to change."""

from pathlib import Path

import pytest

from bot import router, systems, workflows
from bot.rooms import Rooms
from bot.settings import Settings, SettingsError, load

ACCESS = """
[workflows.it_access]
channel = "C0ACCESS"
clause = { document = "it-access.md", anchor = "temporary-access" }
tickets = true
groups = { billing-db = { approvers = ["data-owners", "finance"], escalate_to = "people-team" } }
"""
TROUBLES = """
[workflows.service_ticket]
channel = "C0DESK"
desk = "it"
clause = { document = "it-access.md", anchor = "questions" }
"""
TICKETS = """
[connectors.tickets]
url = "https://tracker.example/"
"""


def loaded(home: Path, text: str) -> Settings:
    (home / "countersign.toml").write_text(text)
    return load(home)


def test_what_ships_is_found_by_its_name() -> None:
    rooms = Rooms(allowed={})
    assert rooms.names("workflow") == {"break_glass", "it_access", "service_ticket"}
    assert rooms.names("connector") == {"tickets"}
    for name in ("directory", "sandbox", "http", "nothing", "../x", ""):
        assert rooms.connector(name) is None


def test_every_channel_group_and_clause_is_found_with_its_place(tmp_path: Path) -> None:
    settings = loaded(tmp_path, ACCESS + TROUBLES + TICKETS)
    assert workflows.named_channels(settings) == {
        "C0ACCESS": "it_access channel", "C0DESK": "service_ticket channel",
    }  # fmt: skip
    assert workflows.named_groups(settings) == {
        "billing-db": "it_access groups",
        "data-owners": "it_access groups billing-db approvers",
        "finance": "it_access groups billing-db approvers",
        "people-team": "it_access groups billing-db escalate_to",
        "it": "service_ticket desk",
    }
    assert [name for name, _ in workflows.clauses(settings)] == ["it_access", "service_ticket"]


def test_a_workflow_without_its_connector_does_not_start(tmp_path: Path) -> None:
    for text in (ACCESS, TROUBLES):
        with pytest.raises(SettingsError, match=r"needs tickets.open.*add \[connectors.tickets\]"):
            workflows.require_served(loaded(tmp_path, text))
    workflows.require_served(loaded(tmp_path, ACCESS + TROUBLES + TICKETS))


def test_only_what_is_switched_on_can_be_confirmed_alone(tmp_path: Path) -> None:
    confirm = '[confirm]\nworkflows = ["service_tickets"]\n'
    with pytest.raises(SettingsError, match="service_tickets, and no such workflow"):
        workflows.require_served(loaded(tmp_path, confirm + TROUBLES + TICKETS))


def test_a_system_has_its_title_and_its_operations(tmp_path: Path) -> None:
    settings = loaded(tmp_path, TICKETS)
    assert systems.titles(settings) == {"tickets": "the ticket system"}
    assert [one.name for one in systems.operations(settings)][2:] == [
        "tickets.open", "tickets.comment", "tickets.assign", "tickets.close",
    ]  # fmt: skip


def test_a_key_that_no_room_declares_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'connectors.tickets.urll' is not known"):
        loaded(tmp_path, TICKETS + 'urll = "x"\n')
    with pytest.raises(SettingsError, match=r"'workflows.nothing' is not known"):
        loaded(tmp_path, "[workflows.nothing]\n")


def test_every_example_of_a_workflow_is_understood_as_a_request_for_it(tmp_path: Path) -> None:
    settings = loaded(tmp_path, ACCESS + TROUBLES + TICKETS)
    known = workflows.hints(settings)
    tried = 0
    for workflow in workflows.switched_on(settings):
        for example in workflow.examples:
            assert router.route(example, workflows=known).workflow == workflow.name, example
            tried += 1
    assert tried >= 4


@pytest.mark.parametrize(
    "said",
    [
        "Is the VPN down?",
        "What do I do if my laptop is stolen or broken?",
        "Ben says the printer is broken",
        "If my screen is broken, who pays for it?",
        "Suppose the VPN is down: may I work from home?",
        'The poster says "my VPN is down"',
        "My laptop is great",
    ],
)
def test_what_only_speaks_of_troubles_opens_nothing(tmp_path: Path, said: str) -> None:
    known = workflows.hints(loaded(tmp_path, TROUBLES + TICKETS))
    assert router.route(said, workflows=known).workflow is None
