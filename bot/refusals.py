"""What Slack's refusals mean: what helps, why it is, whether it may have happened, when to come back.

The errors are those that Slack documents for the methods we call (docs.slack.dev/reference/methods). One that
is not known here is taken for something that an operator can mend: nothing is given up for being unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import aiohttp
from slack_sdk.errors import SlackApiError

NETWORK = (aiohttp.ClientError, TimeoutError, OSError)  # no answer came

UNSET = "no_channel_set"  # ours: the settings name no channel for it
UNDRAWN = "cannot_be_drawn"  # ours: a fault of the program

_UNSURE = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
_PUT_OFF = {"ratelimited", "rate_limited"}
_LONGEST = 3600.0  # seconds that Slack can put us off for


class Cure(Enum):
    """What helps against a refusal."""

    TIME = "time"  # it is tried again, and may have happened already
    OTHER_WORDS = "other words"  # Slack never accepts these blocks or this text, anywhere
    OPERATOR_HERE = "operator here"  # somebody has to change something about this channel
    OPERATOR = "operator"  # somebody has to change something about the app: nothing is accepted anywhere


@dataclass(frozen=True, slots=True)
class _Meaning:
    cure: Cure
    why: str  # half a sentence, for whoever waits
    mend: str  # a sentence, for whoever runs the bot


def _group(cure: Cure, errors: str, why: str, mend: str) -> dict[str, _Meaning]:
    return dict.fromkeys(errors.split(), _Meaning(cure, why, mend))


_CREDENTIALS = (
    "Set SLACK_BOT_TOKEN to the app's bot token, from OAuth & Permissions in the app's settings, and start "
    "again."
)
_POSTING = "Let the app post there: in the channel's settings, under Permissions; or name another channel."
_KNOWN: Mapping[str, _Meaning] = {
    **dict.fromkeys(
        _UNSURE | _PUT_OFF, _Meaning(Cure.TIME, "Slack does not manage it at the moment", "Wait.")
    ),
    **_group(
        Cure.OPERATOR_HERE,
        "not_in_channel",
        "I am not in that channel",
        "Invite the bot to the channel: type /invite and its name there.",
    ),
    **_group(
        Cure.OPERATOR_HERE,
        "channel_not_found invalid_channel team_not_found duplicate_channel_not_found",
        "I cannot see that channel",
        "Invite the bot if the channel is private. If it was deleted, name another one in the settings.",
    ),
    **_group(
        Cure.OPERATOR_HERE,
        "is_archived channel_is_archived",
        "that channel is archived",
        "Unarchive the channel, or name another one in the settings.",
    ),
    **_group(
        Cure.OPERATOR_HERE,
        "restricted_action restricted_action_read_only_channel restricted_action_thread_only_channel "
        "restricted_action_non_threadable_channel restricted_action_thread_locked thread_locked "
        "posting_to_general_channel_denied method_not_supported_for_channel_type channel_type_not_supported",
        "I may not post in that channel",
        _POSTING,
    ),
    **_group(
        Cure.OPERATOR_HERE,
        "thread_not_found message_not_found cannot_reply_to_message invalid_thread_ts",
        "the message that it belongs to is not there any more",
        "Nothing has to be changed, unless the message is still there.",
    ),
    **_group(
        Cure.OPERATOR_HERE,
        "user_not_in_channel user_not_found user_not_visible user_disabled invalid_user_combination "
        "cannot_dm_bot user_not_specified users_list_not_supplied not_enough_users too_many_users",
        "Slack does not find the person there",
        "See whether the person's Slack account is active and in the channel.",
    ),
    **_group(
        Cure.OPERATOR_HERE,
        "messages_tab_disabled",
        "direct messages to me are switched off",
        "Switch the Messages tab on, under App Home in the app's settings.",
    ),
    **_group(
        Cure.OPERATOR_HERE,
        "external_channel_migrating",
        "Slack is moving that channel",
        "Wait until Slack has moved the shared channel.",
    ),
    **_group(
        Cure.OPERATOR_HERE,
        UNSET,
        "no channel is set for it",
        "Name the channel in countersign.toml, and start again.",
    ),
    **_group(
        Cure.OPERATOR_HERE,
        UNDRAWN,
        "of a fault in me",
        "The log says what went wrong. Please report it; a new release can send it again.",
    ),
    **_group(
        Cure.OPERATOR,
        "token_revoked token_expired invalid_auth not_authed account_inactive not_allowed_token_type "
        "invalid_token org_login_required two_factor_setup_required",
        "Slack does not accept my credentials any more",
        _CREDENTIALS,
    ),
    **_group(
        Cure.OPERATOR,
        "missing_scope no_permission",
        "I lack a permission in Slack",
        "Install the app again with the scopes of manifest.yml.",
    ),
    **_group(
        Cure.OPERATOR,
        "ekm_access_denied access_denied accesslimited enterprise_is_restricted app_access_restricted "
        "team_access_not_granted send_on_behalf_not_allowed is_bot",
        "Slack's administrators do not let me post",
        "Ask the administrators of the workspace to let the app post.",
    ),
    **_group(
        Cure.OPERATOR,
        "message_limit_exceeded",
        "the workspace has reached a limit of Slack's",
        "Ask the administrators of the workspace about its limit of messages.",
    ),
    **_group(
        Cure.OPERATOR,
        "deprecated_endpoint method_deprecated unknown_method as_user_not_supported "
        "metadata_must_be_sent_from_app",
        "Slack does not offer what I use any more",
        "Install a newer release of Countersign.",
    ),
    **_group(
        Cure.OTHER_WORDS,
        "msg_too_long msg_blocks_too_long too_many_attachments too_many_contact_cards metadata_too_large "
        "attachment_payload_limit_exceeded",
        "it is too long for Slack",
        "Please report it: what the bot writes should fit.",
    ),
    **_group(
        Cure.OTHER_WORDS,
        "invalid_blocks invalid_blocks_format invalid_arguments invalid_arg_name invalid_array_arg "
        "invalid_charset invalid_form_data invalid_post_type missing_post_type invalid_json json_not_object "
        "no_text missing_file_data invalid_attachments markdown_text_conflict invalid_metadata_format "
        "invalid_metadata_schema block_mismatch cant_broadcast_message streaming_state_conflict "
        "duplicate_message_not_found invalid_client_msg_id",
        "Slack does not accept its form",
        "Please report it: what the bot writes should be accepted.",
    ),
    **_group(
        Cure.OTHER_WORDS,
        "slack_connect_canvas_sharing_blocked slack_connect_file_link_sharing_blocked "
        "slack_connect_lists_sharing_blocked",
        "Slack does not let its links be shared there",
        "Ask the administrators of the workspace about sharing files in Slack Connect.",
    ),
}
_UNKNOWN = _Meaning(
    Cure.OPERATOR_HERE,
    "Slack refuses it",
    "Look the error up at https://docs.slack.dev/reference/methods/chat.postMessage.",
)

DOCUMENTED = frozenset(_KNOWN)


def cure(error: str) -> Cure:
    """Return what helps against an error."""
    if error.startswith("HTTP "):
        return Cure.TIME
    return _KNOWN.get(error, _UNKNOWN).cure


def why(error: str) -> str:
    """Say in half a sentence why something is not in Slack, for whoever waits for it."""
    return _KNOWN.get(error, _UNKNOWN).why


def mend(error: str) -> str:
    """Say to whoever runs the bot what to change."""
    return _KNOWN.get(error, _UNKNOWN).mend


def key(error: SlackApiError) -> str:
    """Return Slack's name for the error, or the HTTP status where the answer was none of Slack's."""
    data = getattr(error.response, "data", error.response)
    named = data.get("error") if isinstance(data, dict) else None
    return str(named) if named else f"HTTP {_status(error)}"


def detail(error: SlackApiError, name: str) -> str:
    """Return another field of the answer, or "?"."""
    data = getattr(error.response, "data", error.response)
    return str(data.get(name, "?")) if isinstance(data, dict) else "?"


def is_unsure(error: SlackApiError) -> bool:
    """Whether Slack may have done what it was asked, all the same."""
    return cure(key(error)) is Cure.TIME and not is_put_off(error)


def is_put_off(error: SlackApiError) -> bool:
    """Whether Slack only wants us to come back later."""
    return _status(error) == 429 or key(error) in _PUT_OFF


def come_back_in(error: SlackApiError) -> float:
    """Return the seconds that Slack wants us to wait, an hour at most."""
    headers = getattr(error.response, "headers", None) or {}
    named = next((str(value) for name, value in headers.items() if str(name).lower() == "retry-after"), "")
    return min(float(named), _LONGEST) if named.isdecimal() else 5.0


def _status(error: SlackApiError) -> int:
    return int(getattr(error.response, "status_code", 0))
