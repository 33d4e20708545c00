"""A model behind the bot in Slack: what it says truly is said above the quotes, what it makes up is not."""

import json
from pathlib import Path

from bot.database import Database
from connectors.sandbox.process import Running
from tests.model_server import serving
from tests.scenario.slack_office import ADA, ASK_POLICY, BOT, Office, open_office, texts

TRUE = "You get 27 days of paid annual leave a year."
ALSO = (
    "New parents get sixteen weeks of paid parental leave, which may be taken within the child's first year."
)
QUOTE = "Every employee gets 27 days of paid annual leave a year."
HOSTILE = "<!channel> You get 99 days, see https://evil.example."


async def answered(office: Office, thread: str) -> str:
    """Return the bot's answer in a thread, once it is there."""

    async def look() -> str | None:
        found = await office.people.messages(as_=ADA, channel=ASK_POLICY, thread_ts=thread)
        return next((texts(each) for each in found if each["ts"] != thread), None)

    return await office.people.wait_for(look, timeout=60, what="an answer")


async def test_a_model_words_answers_in_slack_and_can_say_nothing_else(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> None:
    with serving() as model:
        async with open_office(
            database, database_home, slack_home, server, model=f"{model.url}/v1"
        ) as office:
            true = [{"text": TRUE, "passages": [1]}, {"text": ALSO, "passages": [3]}]
            model.reply = json.dumps({"sentences": true})
            question = f"<@{BOT}> how many days of annual leave do I get?"
            said = await answered(office, await office.people.message(question, as_=ADA, channel=ASK_POLICY))
            assert f"{TRUE} [1]" in said
            assert "Worded by a language model" in said
            assert QUOTE in said
            model.reply = json.dumps({"sentences": [*true, {"text": HOSTILE, "passages": [1]}]})
            said = await answered(office, await office.people.message(question, as_=ADA, channel=ASK_POLICY))
            assert f"{TRUE} [1]" in said
            assert not [word for word in ("99", "evil", "channel>") if word in said]
            model.reply = f"{HOSTILE} [1]"
            said = await answered(office, await office.people.message(question, as_=ADA, channel=ASK_POLICY))
            assert "Worded by" not in said
            assert QUOTE in said
            assert not [word for word in ("99", "evil", "channel>") if word in said]
            assert len(model.asked) == 3
