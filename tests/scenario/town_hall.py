"""What people of the company do to its directory: link accounts, make groups, rename them, change members."""

from collections.abc import Iterable
from typing import Any

import httpx

from connectors.sandbox.company import Employee, record_id
from connectors.sandbox.process import Running

EMPLOYEE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"


async def link(server: Running, *accounts: Employee, number: str = "E42") -> None:
    """Say that these accounts belong to one human."""
    for account in accounts:
        await _patch(server, f"/Users/{account.id}", {"op": "replace", "path": EMPLOYEE, "value": number})


async def found_group(server: Running, name: str, members: Iterable[Employee]) -> str:
    """Make a group, of whatever name, and return its id."""
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "members": [{"value": member.id} for member in members],
    }
    made = await _send(server, "POST", "/Groups", body)
    return str(made["id"])


async def join(server: Running, who: Employee, group: str) -> None:
    """Take somebody into a group of the company, by its name at the first start."""
    change = {"op": "add", "path": "members", "value": [{"value": who.id}]}
    await _patch(server, f"/Groups/{record_id('Group', group)}", change)


async def rename(server: Running, group: str, name: str) -> None:
    """Call a group otherwise."""
    await _patch(server, f"/Groups/{group}", {"op": "replace", "path": "displayName", "value": name})


async def delete(server: Running, group: str) -> None:
    """Delete a group."""
    await _send(server, "DELETE", f"/Groups/{group}")


async def away(server: Running, is_away: bool) -> None:
    """Let the directory fail at whatever it is asked, or end that."""
    url = server.url.removesuffix("/v2") + "/_sandbox/faults"
    headers = {"Authorization": f"Bearer {server.token}"}
    async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False, verify=False) as client:
        said = {"kind": "down", "times": 0}
        (await (client.post(url, json=said) if is_away else client.delete(url))).raise_for_status()


async def _patch(server: Running, path: str, change: dict[str, Any]) -> None:
    schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
    await _send(server, "PATCH", path, {"schemas": schemas, "Operations": [change]})


async def _send(
    server: Running, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.token}"}
    async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False, verify=False) as client:
        answer = await client.request(method, f"{server.url}{path}", json=body)
        answer.raise_for_status()
    return dict(answer.json()) if answer.content else {}
