"""users.info, users.list, users.lookupByEmail."""

from bot.workspace.errors import Refused
from bot.workspace.methods.base import Answer, Call, Family
from bot.workspace.world import Person

family = Family()


def described(call: Call, person: Person) -> Answer:
    """Return a person as Slack does; the address only with its scope."""
    world = call.workspace.world
    first, _, last = person.real_name.partition(" ")
    profile: Answer = {
        "title": person.title,
        "phone": "",
        "real_name": person.real_name,
        "real_name_normalized": person.real_name,
        "display_name": person.name,
        "display_name_normalized": person.name,
        "first_name": first,
        "last_name": last,
        "status_text": "",
        "status_emoji": "",
        "avatar_hash": f"g{person.id.lower()}",
        "team": world.team.id,
    }
    if person.is_bot:
        profile |= {"api_app_id": world.app.id, "bot_id": world.app.bot_id, "always_active": True}
    elif person.email and "users:read.email" in call.scopes:
        profile["email"] = person.email
    account: Answer = {
        "id": person.id,
        "team_id": world.team.id,
        "name": person.name,
        "deleted": person.deleted,
        "profile": profile,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "updated": 0,
    }
    if person.deleted:
        return account
    roles = ("is_admin", "is_owner", "is_primary_owner", "is_ultra_restricted")
    return account | {
        "color": person.color,
        "real_name": person.real_name,
        "tz": person.tz,
        "tz_label": person.tz,
        "tz_offset": 0,
        "is_restricted": person.is_restricted,
        "is_email_confirmed": not person.is_bot,
        **dict.fromkeys(roles, False),
    }


@family.method("users.info", "users:read")
def info(call: Call) -> Answer:
    """Describe one account, deactivated ones included."""
    return {"user": described(call, call.workspace.state.person(call.required("user")))}


@family.method("users.list", "users:read")
def list_users(call: Call) -> Answer:
    """List all accounts."""
    people, cursor = call.page(list(call.workspace.state.people.values()), default=1000)
    return {
        "members": [described(call, person) for person in people],
        "cache_ts": int(call.workspace.state.now()),
        "response_metadata": {"next_cursor": cursor},
    }


@family.method("users.lookupByEmail", "users:read.email")
def lookup(call: Call) -> Answer:
    """Find an active person by address."""
    email = call.required("email").strip().lower()
    for person in call.workspace.world.people:
        if person.email.lower() == email and not person.deleted:
            return {"user": described(call, person)}
    raise Refused("users_not_found")
