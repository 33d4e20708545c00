"""Whose Slack account something is: one of ours, a guest's, a stranger's, an app's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """The workspace that the bot was installed in, and its organisation, if it is part of one."""

    team: str
    enterprise: str | None = None

    def refusal(self, account: Mapping[str, Any]) -> str | None:
        """Say which of our rules keeps an account out; whatever Slack does not say counts as a stranger's.

        In an Enterprise organisation somebody of a sister workspace, or of none that Slack names, is of ours.
        """
        if account.get("deleted"):
            return "deactivated"
        if account.get("is_bot") or account.get("is_workflow_bot") or account.get("id") == "USLACKBOT":
            return "bot"
        if account.get("is_restricted") or account.get("is_ultra_restricted"):
            return "guest"
        if self._is_of_organisation(account):
            return None
        if account.get("is_stranger") or account.get("team_id") != self.team:
            return "stranger"
        return None

    def is_outsider(self, account: Mapping[str, Any]) -> bool:
        """Whether somebody who is none of ours reads through the account. An app of ours is nobody."""
        return self.refusal(account) in {"guest", "stranger"}

    def _is_of_organisation(self, account: Mapping[str, Any]) -> bool:
        user = account.get("enterprise_user")
        named = user.get("enterprise_id") if isinstance(user, Mapping) else None
        return self.enterprise is not None and named == self.enterprise
