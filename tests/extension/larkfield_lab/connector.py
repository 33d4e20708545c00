"""The laboratory's calendar: devices are reserved there, and prepared."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, ClassVar, TypeVar

from connectors import sdk
from connectors.http import Client, open_http, segment

DataT = TypeVar("DataT", bound=sdk.Payload)


class LabSettings(sdk.Section):
    url: sdk.Url


class Reservation(sdk.Payload):
    device: str
    person: str
    day: str


class Preparation(sdk.Payload):
    number: Annotated[str, sdk.Referable(pattern=r"R-\d{1,6}", most=8)]
    note: str


class Entry(sdk.Result):
    number: str


def _entry(found: dict[str, str]) -> Entry:
    return Entry(number=found["number"])


class Calendar:
    """What the calendar can be asked, and told."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def free(self, device: str, day: str) -> bool:
        return await self._client.get(
            f"devices/{segment(device)}/{segment(day)}", lambda it: bool(it["free"])
        )

    async def find(self, key: str) -> Entry | None:
        try:
            return await self._client.get(f"entries/{segment(key)}", _entry)
        except sdk.NotFound:
            return None

    async def enter(self, key: str, kind: str, data: sdk.Payload) -> Entry:
        body = {"kind": kind, **data.model_dump(mode="json")}
        answer = await self._client.request("PUT", f"entries/{segment(key)}", json=body)
        return await answer.json(_entry)

    async def strike(self, number: str) -> None:
        await self._client.request("DELETE", f"entries/{segment(number)}")

    async def ping(self) -> sdk.Health:
        await self._client.request("GET", "")
        return sdk.Health(system="lab", detail="the calendar answers")


class InCalendar(sdk.Operation[DataT, Entry]):
    """An entry in the calendar. The calendar knows our key: the same one makes no second entry."""

    effect, repeat, scope, result = "write", "keyed", "lab:write", Entry

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar

    async def find(self, data: DataT, key: str) -> Entry | None:
        return await self.calendar.find(key)

    async def apply(self, data: DataT, key: str) -> Entry:
        return await self.calendar.enter(key, self.name, data)

    async def undo(self, data: DataT, result: Entry, key: str) -> None:
        await self.calendar.strike(result.number)

    async def ping(self) -> sdk.Health:
        return await self.calendar.ping()


class Reserve(InCalendar[Reservation]):
    name, title, payload = "lab.reserve", "Reserve a device", Reservation

    async def preview(self, data: Reservation) -> sdk.Change:
        was = "free" if await self.calendar.free(data.device, data.day) else "taken"
        return sdk.Change(
            target=data.device,
            before=was,
            after=f"reserved on {data.day}",
            needed=True,
            basis=(("was", was),),
        )


class Prepare(InCalendar[Preparation]):
    name, title, payload = "lab.prepare", "Have a device prepared", Preparation

    async def preview(self, data: Preparation) -> sdk.Change:
        return sdk.Change(target=data.number, before="no note", after=data.note, needed=True)


class Lab(sdk.Connector[LabSettings]):
    name, title, operations = "lab", "the laboratory's calendar", (Reserve, Prepare)
    scopes: ClassVar[Mapping[str, str]] = {"lab:read": "reads the calendar", "lab:write": "makes entries"}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[sdk.Opened]:
        keys = {scope: {"Authorization": f"Bearer {one}"} for scope, one in self.credentials.items()}
        async with (
            open_http("lab", self.given.url, keys["lab:read"]) as reads,
            open_http("lab", self.given.url, keys["lab:write"]) as writes,
        ):
            operations = [kind(Calendar(writes)) for kind in self.operations]
            yield sdk.Opened(operations=operations, reads=[Calendar(reads)])
