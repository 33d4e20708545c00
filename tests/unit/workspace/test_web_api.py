"""The Web API: tokens, scopes, refusals and answers, as an ordinary Slack client meets them."""

from typing import Any

import aiohttp
import pytest

ADA, BEN, BOT = "U0ADA", "U0BEN", "U0BOT"
GENERAL, FINANCE, APPROVALS, QUIET, OLD = "C0GENERAL", "C0FINANCE", "G0APPROVALS", "G0QUIET", "C0OLD"
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "Hello"}}


async def raw(rig: Any, method: str, **request: Any) -> tuple[int, dict[str, Any], Any]:
    url = f"{rig.server.api_url}{method}"
    async with aiohttp.ClientSession() as session, session.post(url, **request) as response:
        return response.status, await response.json(), response.headers


BEARER = {"Authorization": "Bearer xoxb-test"}


async def test_a_call_without_a_token_is_not_authed(rig: Any) -> None:
    assert (await raw(rig, "auth.test"))[1] == {"ok": False, "error": "not_authed"}


async def test_a_wrong_token_is_invalid_auth(rig: Any) -> None:
    answer = (await raw(rig, "auth.test", headers={"Authorization": "Bearer xoxb-wrong"}))[1]
    assert answer["error"] == "invalid_auth"


async def test_a_token_may_come_in_the_form_but_not_in_the_address(rig: Any) -> None:
    assert (await raw(rig, "auth.test", data={"token": "xoxb-test"}))[1]["ok"]
    assert (await raw(rig, "auth.test", params={"token": "xoxb-test"}))[1]["error"] == "not_authed"


async def test_each_kind_of_token_opens_its_own_methods_only(rig: Any) -> None:
    app = {"Authorization": "Bearer xapp-test"}
    assert (await raw(rig, "chat.postMessage", headers=app))[1]["error"] == "not_allowed_token_type"
    assert (await raw(rig, "apps.connections.open", headers=BEARER))[1]["error"] == "not_allowed_token_type"
    assert (await raw(rig, "apps.connections.open", headers=app))[1]["url"].startswith("ws://127.0.0.1:")


async def test_an_unknown_method_is_unknown_whoever_asks(rig: Any) -> None:
    assert (await raw(rig, "chat.shout"))[1] == {
        "ok": False,
        "error": "unknown_method",
        "req_method": "chat.shout",
    }


async def test_json_without_a_charset_is_warned_about_and_broken_json_refused(rig: Any) -> None:
    plain = {**BEARER, "Content-Type": "application/json"}
    answer = (await raw(rig, "auth.test", headers=plain, data=b"{}"))[1]
    assert answer["ok"]
    assert answer["response_metadata"]["warnings"] == ["missing_charset"]
    assert (await raw(rig, "auth.test", headers=plain, data=b"{"))[1]["error"] == "invalid_json"


async def test_a_form_carries_blocks_as_json_text(rig: Any) -> None:
    form = {"channel": GENERAL, "blocks": '[{"type": "divider"}]'}
    assert (await raw(rig, "chat.postMessage", headers=BEARER, data=form))[1]["message"]["blocks"][0][
        "block_id"
    ]
    form["blocks"] = "[{"
    answer = (await raw(rig, "chat.postMessage", headers=BEARER, data=form))[1]
    assert answer["error"] == "invalid_blocks_format"


async def test_a_missing_scope_is_named(open_rig: Any, make_world: Any) -> None:
    rig = await open_rig(world=make_world(scopes=frozenset({"chat:write"})))
    answer = await rig.refusal(rig.slack.users_info(user=ADA))
    assert (answer["error"], answer["needed"], answer["provided"]) == (
        "missing_scope",
        "users:read",
        "chat:write",
    )
    rig = await open_rig(world=make_world(scopes=frozenset({"channels:history"})))
    answer = await rig.refusal(rig.slack.conversations_history(channel=APPROVALS))
    assert (answer["error"], answer["needed"]) == ("missing_scope", "groups:history")


async def test_who_am_i_names_the_bot(rig: Any) -> None:
    answer = await rig.slack.auth_test()
    assert (answer["user_id"], answer["bot_id"], answer["team_id"]) == (BOT, "B0BOT", "T0LARK")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ({"channel": QUIET, "text": "x"}, "channel_not_found"),
        ({"channel": FINANCE, "text": "x"}, "not_in_channel"),
        ({"channel": OLD, "text": "x"}, "is_archived"),
        ({"channel": GENERAL}, "no_text"),
        ({"channel": GENERAL, "text": "  "}, "no_text"),
        ({"channel": GENERAL, "blocks": [{"type": "sectoin"}]}, "invalid_blocks"),
        ({"channel": GENERAL, "blocks": [SECTION] * 51}, "invalid_blocks"),
        ({"channel": GENERAL, "blocks": "nonsense"}, "invalid_blocks_format"),
        ({"channel": GENERAL, "text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
        ({"channel": GENERAL, "text": "x", "metadata": {"event_type": "e"}}, "invalid_metadata_schema"),
        ({"channel": GENERAL, "text": "x", "metadata": "{"}, "invalid_metadata_format"),
        ({"channel": GENERAL, "markdown_text": "x", "text": "y"}, "markdown_text_conflict"),
        ({"channel": GENERAL, "markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"channel": "U0JUN", "text": "x"}, "channel_not_found"),
        ({"channel": GENERAL, "text": "x", "username": "Boss"}, "missing_scope"),
    ],
)
async def test_posting_is_refused_with_slacks_code(rig: Any, arguments: dict[str, Any], error: str) -> None:
    assert (await rig.refusal(rig.slack.api_call("chat.postMessage", json=arguments)))["error"] == error


async def test_bad_blocks_are_pointed_at(rig: Any) -> None:
    blocks = [SECTION, {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    answer = await rig.refusal(rig.slack.chat_postMessage(channel=GENERAL, blocks=blocks, text="x"))
    problem = "must be less than 151 characters [json-pointer:/blocks/1/text/text]"
    assert answer["errors"] == [problem]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {problem}"]


async def test_too_much_text_in_all_blocks_is_msg_blocks_too_long(rig: Any) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}}] * 5
    answer = await rig.refusal(rig.slack.chat_postMessage(channel=GENERAL, blocks=blocks, text="x"))
    assert answer["error"] == "msg_blocks_too_long"


async def test_a_message_of_40_000_characters_is_kept_and_a_longer_one_cut(rig: Any) -> None:
    text = "ü𝄞" * 20_000
    posted = await rig.slack.chat_postMessage(channel=GENERAL, text=text)
    assert posted["message"]["text"] == text
    posted = await rig.slack.chat_postMessage(channel=GENERAL, text="x" * 40_001)
    assert len(posted["message"]["text"]) == 40_000


async def test_an_update_of_more_than_4_000_characters_is_too_long(rig: Any) -> None:
    ts = (await rig.slack.chat_postMessage(channel=GENERAL, text="x"))["ts"]
    answer = await rig.refusal(rig.slack.chat_update(channel=GENERAL, ts=ts, text="x" * 4001))
    assert answer["error"] == "msg_too_long"


async def test_an_update_keeps_what_it_does_not_name(rig: Any) -> None:
    metadata = {"event_type": "card", "event_payload": {"id": "1"}}
    posted = await rig.slack.chat_postMessage(channel=GENERAL, text="x", blocks=[SECTION], metadata=metadata)
    changed = await rig.slack.chat_update(channel=GENERAL, ts=posted["ts"], text="y")
    assert changed["message"]["blocks"][0]["type"] == "section"
    assert changed["message"]["metadata"] == metadata
    changed = await rig.slack.chat_update(channel=GENERAL, ts=posted["ts"], text="z", blocks=[])
    assert "blocks" not in changed["message"]


async def test_only_ones_own_messages_are_updated_and_deleted(rig: Any) -> None:
    ts = await rig.people.message("mine", as_=ADA, channel=GENERAL)
    slack = rig.slack
    assert (await rig.refusal(slack.chat_update(channel=GENERAL, ts=ts, text="y")))[
        "error"
    ] == "cant_update_message"
    assert (await rig.refusal(slack.chat_delete(channel=GENERAL, ts=ts)))["error"] == "cant_delete_message"
    missing = await rig.refusal(slack.chat_update(channel=GENERAL, ts="1.000001", text="y"))
    assert missing["error"] == "message_not_found"


async def test_metadata_comes_back_only_when_asked_for(rig: Any) -> None:
    metadata = {"event_type": "card", "event_payload": {"id": "1"}}
    await rig.slack.chat_postMessage(channel=GENERAL, text="x", metadata=metadata)
    plain = await rig.slack.conversations_history(channel=GENERAL)
    full = await rig.slack.conversations_history(channel=GENERAL, include_all_metadata=True)
    assert "metadata" not in plain["messages"][0]
    assert full["messages"][0]["metadata"] == metadata


async def test_history_pages_from_the_newest_and_leaves_replies_to_the_thread(rig: Any) -> None:
    tss = [(await rig.slack.chat_postMessage(channel=GENERAL, text=str(number)))["ts"] for number in range(5)]
    await rig.slack.chat_postMessage(channel=GENERAL, text="reply", thread_ts=tss[0])
    first = await rig.slack.conversations_history(channel=GENERAL, limit=3)
    assert [one["ts"] for one in first["messages"]] == tss[:1:-1]
    assert first["has_more"]
    cursor = first["response_metadata"]["next_cursor"]
    second = await rig.slack.conversations_history(channel=GENERAL, limit=3, cursor=cursor)
    assert [one["ts"] for one in second["messages"]] == [tss[1], tss[0]]
    assert not second["has_more"]
    assert second["messages"][1]["reply_count"] == 1
    between = await rig.slack.conversations_history(channel=GENERAL, oldest=tss[1], latest=tss[3])
    assert [one["ts"] for one in between["messages"]] == [tss[2]]
    bad = await rig.refusal(rig.slack.conversations_history(channel=GENERAL, cursor="nonsense"))
    assert bad["error"] == "invalid_cursor"


async def test_a_thread_lists_its_root_first_and_an_unknown_one_is_not_found(rig: Any) -> None:
    root = (await rig.slack.chat_postMessage(channel=GENERAL, text="root"))["ts"]
    reply = (await rig.slack.chat_postMessage(channel=GENERAL, text="reply", thread_ts=root))["ts"]
    again = (await rig.slack.chat_postMessage(channel=GENERAL, text="to the reply", thread_ts=reply))[
        "message"
    ]
    assert again["thread_ts"] == root
    listed = await rig.slack.conversations_replies(channel=GENERAL, ts=root)
    assert [one["text"] for one in listed["messages"]] == ["root", "reply", "to the reply"]
    missing = await rig.refusal(rig.slack.conversations_replies(channel=GENERAL, ts="1.000001"))
    assert missing["error"] == "thread_not_found"


async def test_deleting_a_root_leaves_a_tombstone_and_deleting_a_reply_is_counted(rig: Any) -> None:
    root = (await rig.slack.chat_postMessage(channel=GENERAL, text="root"))["ts"]
    replies = [
        (await rig.slack.chat_postMessage(channel=GENERAL, text="reply", thread_ts=root))["ts"]
        for _ in range(2)
    ]
    await rig.slack.chat_delete(channel=GENERAL, ts=replies[0])
    seen = await rig.people.messages(as_=ADA, channel=GENERAL)
    assert seen[-1]["reply_count"] == 1
    await rig.slack.chat_delete(channel=GENERAL, ts=root)
    seen = await rig.people.messages(as_=ADA, channel=GENERAL)
    assert seen[-1]["subtype"] == "tombstone"
    assert seen[-1]["reply_count"] == 1


async def test_history_of_a_channel_without_the_bot_is_refused(rig: Any) -> None:
    assert (await rig.refusal(rig.slack.conversations_history(channel=FINANCE)))["error"] == "not_in_channel"
    assert (await rig.refusal(rig.slack.conversations_history(channel=QUIET)))["error"] == "channel_not_found"
    await rig.slack.conversations_join(channel=FINANCE)
    assert (await rig.slack.conversations_history(channel=FINANCE))["ok"]


async def test_conversations_are_listed_by_type(rig: Any) -> None:
    public = await rig.slack.conversations_list(exclude_archived=True)
    assert {one["name"] for one in public["channels"]} == {"general", "finance"}
    private = await rig.slack.conversations_list(types="private_channel")
    assert {one["name"] for one in private["channels"]} == {"approvals"}
    direct = await rig.slack.conversations_list(types="im")
    assert {one["user"] for one in direct["channels"]} == {ADA, BEN, "U0NOOR", "U0JUN"}


async def test_a_direct_message_is_opened_by_the_persons_id(rig: Any) -> None:
    channel = (await rig.slack.conversations_open(users=ADA))["channel"]["id"]
    assert (await rig.slack.chat_postMessage(channel=ADA, text="x"))["channel"] == channel
    assert (await rig.refusal(rig.slack.conversations_open(users="U0NOBODY")))["error"] == "user_not_found"
    assert (await rig.refusal(rig.slack.conversations_open(users="U0JUN")))["error"] == "user_disabled"


async def test_addresses_need_their_own_scope_and_deactivated_people_are_not_found(
    rig: Any, open_rig: Any, make_world: Any
) -> None:
    assert (await rig.slack.users_info(user=ADA))["user"]["profile"]["email"] == "ada@larkfield.example"
    assert (await rig.slack.users_lookupByEmail(email="ADA@larkfield.example"))["user"]["id"] == ADA
    missing = await rig.refusal(rig.slack.users_lookupByEmail(email="jun@larkfield.example"))
    assert missing["error"] == "users_not_found"
    blind = await open_rig(world=make_world(scopes=frozenset({"users:read"})))
    assert "email" not in (await blind.slack.users_info(user=ADA))["user"]["profile"]


async def test_reactions_are_added_once(rig: Any) -> None:
    ts = (await rig.slack.chat_postMessage(channel=GENERAL, text="x"))["ts"]
    await rig.slack.reactions_add(channel=GENERAL, timestamp=ts, name="eyes")
    again = await rig.refusal(rig.slack.reactions_add(channel=GENERAL, timestamp=ts, name="eyes"))
    assert again["error"] == "already_reacted"
    got = await rig.slack.reactions_get(channel=GENERAL, timestamp=ts)
    assert got["message"]["reactions"] == [{"name": "eyes", "users": [BOT], "count": 1}]


async def test_a_permalink_leads_to_the_message(rig: Any) -> None:
    ts = (await rig.slack.chat_postMessage(channel=GENERAL, text="x"))["ts"]
    link = (await rig.slack.chat_getPermalink(channel=GENERAL, message_ts=ts))["permalink"]
    assert link.endswith(f"/archives/{GENERAL}/p{ts.replace('.', '')}")


async def test_a_channel_takes_a_burst_and_then_about_one_message_a_second(open_rig: Any) -> None:
    from bot.workspace.core import Clocks
    from bot.workspace.timing import PostLimit

    now = 100.0
    rig = await open_rig(post_limit=PostLimit(burst=2, per_second=0.5), clocks=Clocks(monotonic=lambda: now))
    for _ in range(2):
        await rig.slack.chat_postMessage(channel=GENERAL, text="x")
    status, answer, headers = await raw(
        rig, "chat.postMessage", headers=BEARER, data={"channel": GENERAL, "text": "x"}
    )
    assert (status, answer["error"], headers["Retry-After"]) == (429, "ratelimited", "2")
    await rig.slack.chat_postMessage(channel=APPROVALS, text="another channel")
    now += 2
    await rig.slack.chat_postMessage(channel=GENERAL, text="x")


async def test_blocks_can_be_validated_without_posting(rig: Any) -> None:
    assert (await rig.slack.blocks_validate(blocks=[SECTION]))["ok"]
    answer = await rig.refusal(rig.slack.blocks_validate(blocks=[{"type": "section"}]))
    assert answer["errors"] == ["must define either `fields` or `text` [json-pointer:/blocks/0]"]


async def test_statuses_titles_and_prompts_belong_to_threads_and_direct_messages(rig: Any) -> None:
    ts = await rig.people.message("hello", as_=ADA, channel="D0ADA")
    await rig.slack.assistant_threads_setStatus(channel_id="D0ADA", thread_ts=ts, status="is thinking…")
    seen = await rig.people._get("messages", **{"as": ADA}, channel="D0ADA", thread_ts=ts)
    assert seen["status"] == "is thinking…"
    await rig.slack.chat_postMessage(channel="D0ADA", thread_ts=ts, text="done")
    seen = await rig.people._get("messages", **{"as": ADA}, channel="D0ADA", thread_ts=ts)
    assert seen["status"] == ""
    await rig.slack.assistant_threads_setTitle(channel_id="D0ADA", thread_ts=ts, title="Leave")
    prompts = [{"title": "Leave", "message": "How much leave do I have?"}]
    await rig.slack.assistant_threads_setSuggestedPrompts(channel_id="D0ADA", prompts=prompts)
    assert await rig.people.prompts(as_=ADA, channel="D0ADA") == prompts
    slack = rig.slack
    wrong = await rig.refusal(
        slack.assistant_threads_setTitle(channel_id="D0ADA", thread_ts="1.1", title="x")
    )
    assert wrong["error"] == "invalid_thread_ts"
    too_many = slack.assistant_threads_setSuggestedPrompts(channel_id="D0ADA", prompts=prompts * 5)
    assert (await rig.refusal(too_many))["error"] == "invalid_arguments"


async def test_a_stream_grows_and_ends_in_one_message(rig: Any) -> None:
    ts = await rig.people.message("hello", as_=ADA, channel="D0ADA")
    stream = await rig.slack.chat_stream(channel="D0ADA", thread_ts=ts, buffer_size=4)
    await stream.append(markdown_text="**Twenty**")
    await stream.append(markdown_text=" days")
    growing = (await rig.people.messages(as_=ADA, channel="D0ADA", thread_ts=ts))[-1]
    assert growing["streaming_state"] == "in_progress"
    assert growing["text"] == "**Twenty** days"
    conflict = await rig.refusal(rig.slack.chat_update(channel="D0ADA", ts=growing["ts"], text="x"))
    assert conflict["error"] == "streaming_state_conflict"
    stopped = await stream.stop(blocks=[SECTION], metadata={"event_type": "a", "event_payload": {}})
    assert [block["type"] for block in stopped["message"]["blocks"]] == ["markdown", "section"]
    late = await rig.refusal(
        rig.slack.chat_appendStream(channel="D0ADA", ts=growing["ts"], markdown_text="x")
    )
    assert late["error"] == "message_not_in_streaming_state"


async def test_a_stream_in_a_channel_needs_its_recipient(rig: Any) -> None:
    ts = await rig.people.message("hello", as_=ADA, channel=GENERAL)
    nobody = rig.slack.chat_startStream(channel=GENERAL, thread_ts=ts)
    assert (await rig.refusal(nobody))["error"] == "missing_recipient_team_id"
    started = await rig.slack.chat_startStream(
        channel=GENERAL,
        thread_ts=ts,
        recipient_team_id="T0LARK",
        recipient_user_id=ADA,
        task_display_mode="plan",
        chunks=[
            {"type": "plan_update", "title": "Plan"},
            {"type": "task_update", "id": "1", "title": "Look", "status": "in_progress", "details": "docs"},
        ],
    )
    done = {"type": "task_update", "id": "1", "title": "Look", "status": "complete"}
    stopped = await rig.slack.chat_stopStream(channel=GENERAL, ts=started["ts"], chunks=[done])
    (plan,) = stopped["message"]["blocks"]
    assert (plan["type"], plan["tasks"][0]["status"]) == ("plan", "complete")
    wrong = rig.slack.chat_startStream(channel="D0ADA", thread_ts="1.1", chunks=[{"type": "nonsense"}])
    assert (await rig.refusal(wrong))["error"] == "invalid_chunks"
