"""Which workspace and app we are, and whether a payload is for us."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.refusals import NETWORK, detail, key

Body = Mapping[str, Any]


class SlackRefused(Exception):
    """Slack cannot be used as configured. The message is a sentence that says what to change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """The app in its workspace, as Slack tells it for our token."""

    app: str
    team: str
    enterprise: str | None
    bot: str
    bot_user: str

    def covers(self, body: Body) -> bool:
        """Whether the payload was sent by our workspace to our app.

        Slack always puts the app's id into events, actions and views, and not always into commands and
        shortcuts; an event in a channel shared with others names them at the top and us in `authorizations`.
        In an Enterprise organisation a click may be that of somebody of a sister workspace: `Identity` says
        whether they are of ours.
        """
        app = body.get("api_app_id")
        if app != self.app and (app is not None or body.get("type") in _ALWAYS_NAMED):
            return False
        places, acting = list(_places(body)), _acting(body)
        within = {enterprise for _, enterprise in places} - {None}
        theirs = {None, self.team} if self.enterprise not in within else {None, self.team, acting}
        return (
            self.team in {acting, *(team for team, _ in places)}
            and all(self._is_ours(team, enterprise) for team, enterprise in places)
            and acting in theirs
        )

    def _is_ours(self, team: str | None, enterprise: str | None) -> bool:
        return team in {None, self.team} and enterprise in {None, self.enterprise}


_ALWAYS_NAMED = {"event_callback", "block_actions", "view_submission", "view_closed", "block_suggestion"}


def _places(body: Body) -> Iterator[tuple[str | None, str | None]]:
    """Yield the (team, enterprise) for which the payload says that it is."""
    authorizations = body.get("authorizations")
    if isinstance(authorizations, list) and authorizations:
        for each in authorizations:
            yield each.get("team_id"), each.get("enterprise_id")
        return
    team, enterprise = body.get("team"), body.get("enterprise")
    named = team if isinstance(team, Mapping) else {}
    within = enterprise.get("id") if isinstance(enterprise, Mapping) else body.get("enterprise_id")
    yield body.get("team_id") or named.get("id"), within or named.get("enterprise_id")


def _acting(body: Body) -> str | None:
    """Return the workspace of whoever acts, where the payload names it."""
    user = body.get("user")
    return user.get("team_id") if isinstance(user, Mapping) else None


async def discover(client: AsyncWebClient) -> Installation:
    """Ask Slack who we are. Raises SlackRefused with what to do about a token that does not work."""
    try:
        me = await client.auth_test()
        bot = await client.bots_info(bot=str(me["bot_id"]))
    except SlackApiError as error:
        raise SlackRefused(_refusal(error)) from error
    except NETWORK as error:
        raise SlackRefused(
            f"Slack cannot be reached at {client.base_url}: {str(error) or type(error).__name__}. "
            "Check the network and SLACK_API_URL."
        ) from error
    if me.get("is_enterprise_install"):
        raise SlackRefused(
            "The Slack app is installed for a whole organisation. Countersign works in one workspace: "
            "install it there, from the app's settings, and use that bot token."
        )
    return Installation(
        app=str(bot["bot"]["app_id"]),
        team=str(me["team_id"]),
        enterprise=me.get("enterprise_id"),
        bot=str(me["bot_id"]),
        bot_user=str(me["user_id"]),
    )


def _refusal(error: SlackApiError) -> str:
    named = key(error)
    if named in {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}:
        return (
            f"Slack refuses the bot token ({named}). Set SLACK_BOT_TOKEN to the app's bot token (xoxb-…), "
            "from OAuth & Permissions in the app's settings."
        )
    if named == "missing_scope":
        return (
            f"The Slack app lacks the scope '{detail(error, 'needed')}'. "
            "Install it again with the scopes of manifest.yml."
        )
    return f"Slack answered {named} to our first question. See https://docs.slack.dev for what it means."
