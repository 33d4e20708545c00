"""`countersign demo --tour`: the five steps, played through the workspace as people would play them.

It checks everything it shows, and fails when anything of it did not happen.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bot.blocks import answer, approval, progress, request
from bot.blocks.reason import REASON
from bot.demo import reading
from bot.demo.stage import Stage
from bot.demo.world import APPROVALS, BOT, user
from bot.workspace.client import ControlError, WorkspaceClient
from connectors.sandbox import company

Json = Mapping[str, Any]

ADA, GRACE, BEN = user(company.ADA), user(company.GRACE), user(company.BEN)
POLICY = "C0ASKPOLICY"
PATIENCE = 60.0  # seconds for any one thing to happen


class Missed(Exception):
    """Something of the tour did not happen."""


async def play(stage: Stage, console: Console) -> bool:
    """Play the five steps. Returns whether all of it happened."""
    async with WorkspaceClient(stage.url) as client:
        await client.connected(timeout=PATIENCE)
        tour = _Tour(stage, client, console)
        await tour.meet()
        try:
            await tour.ask()
            run = await tour.request()
            await tour.decide()
            await tour.end()
            await tour.read_back(run)
        except (Missed, TimeoutError, ControlError) as error:
            console.print(f"\n[bold red]This did not happen:[/] {error}")
            return False
    console.print("\n[bold green]All five steps happened.[/]")
    return True


class _Tour:
    def __init__(self, stage: Stage, client: WorkspaceClient, console: Console) -> None:
        self._stage = stage
        self._client = client
        self._console = console
        self._names: dict[str, str] = {}
        self._direct: dict[str, str] = {}
        self._card: Json = {}
        self._thread = ""

    async def meet(self) -> None:
        """Learn who is here, and where each of them talks to the bot alone."""
        for person in (ADA, GRACE, BEN):
            start = await self._client.bootstrap(as_=person)
            self._names = {one["id"]: one["real_name"] for one in start["people"]}
            self._direct[person] = next(
                one["id"] for one in start["conversations"] if one["kind"] == "im" and one.get("with") == BOT
            )

    async def ask(self) -> None:
        """1. Questions, in three places; and one that the handbook does not cover."""
        self._title("1. Ada asks what the policies say")
        question = "How many weeks of parental leave do I get?"
        found = await self._asked(f"<@{BOT}> {question}", POLICY)
        _require(_cites(found), "the answer in the channel has a citation")
        await self._open_citation(found, POLICY)
        found = await self._asked(
            "How many days of unused leave can I carry over to next year?", self._direct[ADA]
        )
        _require(_cites(found), "the answer in the direct message has a citation")
        self._says(ADA, "/ask what is the meal allowance when I travel?")
        await self._client.command(
            "/ask", "what is the meal allowance when I travel?", as_=ADA, channel=POLICY
        )
        found = await self._find(
            POLICY,
            lambda one: one.get("ephemeral") and "/ask" not in one.get("text", ""),
            "the answer to /ask",
        )
        self._sees(ADA, found)
        _require(_cites(found), "the answer to /ask has a citation")
        found = await self._asked("Does the company pay for my dentist in Portugal?", self._direct[ADA])
        _require("Whom to ask" in reading.plain(found, self._names), "what is not covered names whom to ask")

    async def request(self) -> str:
        """2. A request; what is missing is asked for in a modal."""
        self._title("2. Ada asks for access")
        channel = self._direct[ADA]
        wanted = "I need billing-db to close the quarter"
        self._says(ADA, wanted)
        self._thread = await self._client.message(wanted, as_=ADA, channel=channel)
        asked = await self._find(
            channel, lambda one: _button(one, progress.FILL_IN), "the question for what is missing"
        )
        self._sees(ADA, asked)
        button = _button(asked, progress.FILL_IN)
        assert button is not None
        await self._press(ADA, channel, asked, progress.FILL_IN)
        view = await self._view(ADA)
        self._sees(ADA, view)
        self._does(ADA, "fills in 3 days, and sends it")
        await self._client.submit(view["id"], {"days": {request.VALUE: {"value": "3"}}}, as_=ADA)
        waiting = await self._find(
            channel, lambda one: "Waiting for approval" in reading.plain(one, {}), "the run's progress"
        )
        self._sees(ADA, waiting)
        return str(button["value"])

    async def decide(self) -> None:
        """3. The card; one's own click changes nothing, an approver's does; and a denial gives its reason."""
        self._title("3. An approver decides")
        self._card = await self._find(
            APPROVALS, lambda one: _button(one, approval.APPROVE), "the approval card", as_=GRACE
        )
        self._sees(GRACE, self._card)
        _require("billing-db" not in await self._access(company.ADA.name), "nothing was granted before")
        await self._press(GRACE, APPROVALS, self._card, approval.APPROVE, doing="presses Approve")
        await self._deny_another()

    async def _deny_another(self) -> None:
        channel, wanted = self._direct[GRACE], "I need prod-logs for 2 days to look into an outage"
        self._says(GRACE, wanted)
        await self._client.message(wanted, as_=GRACE, channel=channel)
        card = await self._find(
            APPROVALS,
            lambda one: _button(one, approval.APPROVE) and "Access to: prod-logs" in reading.plain(one, {}),
            "the second card",
            as_=GRACE,
        )
        await self._press(GRACE, APPROVALS, card, approval.APPROVE, doing="tries to approve it herself")
        told = await self._find(
            APPROVALS, lambda one: one.get("ephemeral"), "the reason why that is refused", as_=GRACE
        )
        self._sees(GRACE, told)
        await self._press(BEN, APPROVALS, card, approval.DENY, doing="presses Deny")
        view = await self._view(BEN)
        self._does(BEN, 'gives the reason "Ask the platform team to look with you"')
        value = {"value": "Ask the platform team to look with you"}
        await self._client.submit(view["id"], {REASON: {REASON: value}}, as_=BEN)
        denied = await self._find(
            channel, lambda one: "Ask the platform team" in reading.plain(one, {}), "the denial", as_=GRACE
        )
        self._sees(GRACE, denied)

    async def end(self) -> None:
        """4. The directory has it; three days later it has not."""
        self._title("4. What the directory server holds")
        channel = self._direct[ADA]
        granted = await self._find(channel, lambda one: "Done" in reading.plain(one, {}), "the grant")
        self._sees(ADA, granted)
        decided = await self._find(
            APPROVALS,
            lambda one: one["ts"] == self._card["ts"] and not _button(one, approval.APPROVE),
            "the decided card",
            as_=GRACE,
        )
        self._sees(GRACE, decided)
        _require("billing-db" in await self._access(company.ADA.name), "Ada is in billing-db")
        before = len(await self._heard(ADA, channel))
        clock = await self._client.clock(days=3, hours=1)
        self._console.print(f"\nThe clock is moved by three days and an hour: {clock['now']}")
        await self._client.wait_for(
            lambda: self._gone(company.ADA.name), timeout=PATIENCE, what="the end of the access"
        )
        ended = await self._client.wait_for(
            lambda: self._later(channel, before), timeout=PATIENCE, what="the message about the end"
        )
        self._sees(ADA, ended)
        _require("billing-db" not in await self._access(company.ADA.name), "Ada is in billing-db no more")

    async def read_back(self, run: str) -> None:
        """5. The whole story, from the record."""
        self._title(f"5. countersign audit show {run}")
        words = ("audit", "show", run, "--home", str(self._stage.home))
        shown = await self._countersign(*words)
        self._console.print(Text(shown))
        kinds = [event["kind"] for event in json.loads(await self._countersign(*words, "--json"))]
        asked = ["run.started", "run.filled", "run.checked", "approval.requested", "approval.decided"]
        # A ticket is opened, the access granted, the ticket closed; at the end the access is taken back.
        done = ["effect.intended", "effect.done", "effect.read_back"]
        wanted = [*asked, *done * 3, "run.ended", *done, "run.ended"]
        story = [kind for kind in kinds if kind in set(wanted)]
        _require(story == wanted, f"the record is whole: {kinds}")

    async def _countersign(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.cli", *words, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        _require(process.returncode == 0, f"countersign {' '.join(words)} succeeds")
        return output.decode()

    async def _asked(self, text: str, channel: str) -> Json:
        self._says(ADA, text)
        ts = await self._client.message(text, as_=ADA, channel=channel)
        found = await self._client.wait_for(
            lambda: self._reply(channel, ts), timeout=PATIENCE, what=f"the answer to {text!r}"
        )
        self._sees(ADA, found)
        return found

    async def _reply(self, channel: str, ts: str) -> Json | None:
        thread = await self._client.messages(as_=ADA, channel=channel, thread_ts=ts)
        return next((one for one in thread if one.get("bot_id")), None)

    async def _open_citation(self, message: Json, channel: str) -> None:
        await self._press(ADA, channel, message, answer.SHOW, doing="opens the section that is cited")
        view = await self._view(ADA)
        shown = reading.plain(view, self._names)
        quote = next(
            line for line in reading.plain(message, self._names).splitlines() if line.startswith(">")
        )
        _require(
            _letters(quote.lstrip("> "))[:40] in _letters(shown), "the section that opens holds the quote"
        )
        self._sees(ADA, view)
        await self._client.close(view["id"], as_=ADA)

    async def _press(
        self, who: str, channel: str, message: Json, action: str, *, doing: str | None = None
    ) -> None:
        button = _button(message, action)
        assert button is not None
        self._does(who, doing or f"presses {button['text']['text']}")
        done = await self._client.action(
            action, as_=who, channel=channel, message_ts=message["ts"], value=button.get("value")
        )
        _require(done["acknowledged"], "the click was acknowledged in time")

    async def _view(self, who: str) -> Json:
        async def look() -> Json | None:
            stack = await self._client.views(as_=who)
            return stack[-1] if stack else None

        return await self._client.wait_for(look, timeout=PATIENCE, what="the modal")

    async def _find(self, channel: str, wanted: Any, what: str, *, as_: str = ADA) -> Json:
        async def look() -> Json | None:
            return next((one for one in reversed(await self._heard(as_, channel)) if wanted(one)), None)

        return await self._client.wait_for(look, timeout=PATIENCE, what=what)

    async def _heard(self, who: str, channel: str) -> list[Json]:
        """Return all that the bot has said to a person in a channel and its threads."""
        found: list[Json] = []
        for one in await self._client.messages(as_=who, channel=channel):
            found.append(one)
            if one.get("reply_count"):
                found += await self._client.messages(as_=who, channel=channel, thread_ts=one["ts"])
        return [one for one in found if one.get("bot_id") or one.get("ephemeral")]

    async def _later(self, channel: str, before: int) -> Json | None:
        heard = await self._heard(ADA, channel)
        return next((one for one in heard[before:] if "billing-db" in reading.plain(one, {})), None)

    async def _access(self, name: str) -> list[str]:
        groups = (await self._client.directory())["groups"]
        for group in groups:
            members = ", ".join(group["members"]) or "nobody"
            self._console.print(f"  directory server: {group['name']}: {members}", style="dim")
        return [group["name"] for group in groups if name in group["members"]]

    async def _gone(self, name: str) -> bool:
        groups = (await self._client.directory())["groups"]
        return not any(name in group["members"] for group in groups if group["name"] == "billing-db")

    def _title(self, text: str) -> None:
        self._console.rule(Text(text), align="left")

    def _says(self, who: str, text: str) -> None:
        self._console.print(f"\n[bold]{self._names[who]}[/] says: ", Text(text), sep="")

    def _does(self, who: str, text: str) -> None:
        self._console.print(f"\n[bold]{self._names[who]}[/] {text}")

    def _sees(self, who: str, shown: Json) -> None:
        self._console.print(f"{self._names[who]} sees:", style="dim")
        self._console.print(Padding(Text(reading.plain(shown, self._names)), (0, 0, 0, 4)))


def _button(message: Json, action: str) -> Json | None:
    return next((one for one in reading.buttons(message) if one.get("action_id") == action), None)


def _cites(message: Json) -> bool:
    return _button(message, answer.SHOW) is not None and "[1]" in reading.plain(message, {})


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _require(happened: object, what: str) -> None:
    if not happened:
        raise Missed(what)
