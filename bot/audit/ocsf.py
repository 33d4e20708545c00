"""Events as the Open Cybersecurity Schema Framework has them, for a SIEM: class 6003, API Activity.

Pure, and without any value of a person: people are their pseudonyms. What OCSF has no place for stands in
`unmapped`, so that nothing of the event is lost. https://schema.ocsf.io/1.6.0/classes/api_activity
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

VERSION = "1.6.0"
_CLASS, _CATEGORY = 6003, 6  # API Activity, of the category Application Activity
_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTIVITIES = {"run.started": _CREATE, "run.filled": _UPDATE, "effect.read_back": _READ}
_NAMES = {_CREATE: "Create", _READ: "Read", _UPDATE: "Update", _DELETE: "Delete"}
_SUCCESS, _FAILURE, _UNKNOWN = (1, "Success"), (2, "Failure"), (0, "Unknown")
_INFORMATIONAL, _MEDIUM, _HIGH = (1, "Informational"), (3, "Medium"), (4, "High")
_FAILED = frozenset(
    {"failed", "refused", "refused_click", "denied", "deny", "expired", "outdated", "differs"}
)


def activity(body: Mapping[str, Any], *, digest: str, tenant: str) -> dict[str, Any]:
    """Return the event whose hash is `digest` as an OCSF event."""
    kind, seq, outcome = str(body["kind"]), int(body["seq"]), body.get("outcome")
    number = _activity(kind, body["facts"])
    status, severity = _status(outcome), _severity(kind, outcome)
    at = datetime.fromisoformat(body["at"])
    connector = (body.get("versions") or {}).get("connector")
    operation, _, version = str(connector or "").rpartition(" ")  # of a plan "a.b, c.d 1.2.0"
    operations = [name for name in operation.split(", ") if name]
    metadata: dict[str, Any] = {
        "version": VERSION,
        "product": {"name": "Countersign", "vendor_name": "Countersign"},
        "log_name": "audit",
        "event_code": kind,
        "uid": f"{tenant}:{seq}",
        "sequence": seq,
        "tenant_uid": tenant,
        "original_time": body["at"],
    }
    if body.get("trace") is not None:
        metadata["correlation_uid"] = body["trace"]
    api: dict[str, Any] = {"operation": operation or kind}
    if operation:
        systems = dict.fromkeys(name.partition(".")[0] for name in operations)
        api |= {"service": {"name": ", ".join(systems)}, "version": version}
    actor: dict[str, Any] = {"app_name": "Countersign"}
    if body.get("actor") is not None:
        actor["user"] = {"uid": body["actor"]}
    return {
        "class_uid": _CLASS,
        "class_name": "API Activity",
        "category_uid": _CATEGORY,
        "category_name": "Application Activity",
        "activity_id": number,
        "activity_name": _NAMES.get(number, kind),
        "type_uid": _CLASS * 100 + number,
        "type_name": f"API Activity: {_NAMES.get(number, 'Other')}",
        "time": round(at.timestamp() * 1000),
        "severity_id": severity[0],
        "severity": severity[1],
        "status_id": status[0],
        "status": status[1],
        "status_detail": _said(body),
        "metadata": metadata,
        "actor": actor,
        "api": api,
        "src_endpoint": {"svc_name": "countersign"},
        "unmapped": {
            **{name: body.get(name) for name in _UNMAPPED},
            "operations": operations,
            "hash": digest,
        },
    }


_UNMAPPED = (
    "previous",
    "run",
    "approvers",
    "policies",
    "policy",
    "level",
    "parameters",
    "versions",
    "facts",
    "details",
)


def _activity(kind: str, facts: Mapping[str, Any]) -> int:
    if kind in _ACTIVITIES:
        return _ACTIVITIES[kind]
    if kind.startswith("effect."):
        return _DELETE if facts.get("act") == "undo" else _UPDATE
    return _OTHER


def _said(body: Mapping[str, Any]) -> str:
    """Return how it came out; what whoever asked approved alone was confirmed."""
    outcome = str(body.get("outcome") or body["kind"])
    return "confirm" if outcome == "approve" and body["facts"].get("confirmed") else outcome


def _status(outcome: object) -> tuple[int, str]:
    if outcome == "unknown":
        return _UNKNOWN
    return _FAILURE if outcome in _FAILED else _SUCCESS


def _severity(kind: str, outcome: object) -> tuple[int, str]:
    """Say how soon somebody should look: an effect that may have happened, a click that was not allowed.

    Nothing is worse than an event that somebody else wrote into the record.
    """
    if outcome in {"unknown", "differs"} or kind == "audit.foreign":
        return _HIGH
    return _MEDIUM if kind in {"approval.refused_click", "effect.refused"} else _INFORMATIONAL
