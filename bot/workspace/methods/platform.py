"""auth.test, api.test, apps.connections.open, team.info, bots.info, blocks.validate."""

from bot.workspace.errors import Refused, invalid
from bot.workspace.messages import bot_profile
from bot.workspace.methods.base import Answer, Call, Family
from bot.workspace.validate.surfaces import message_problems, view_problems

family = Family()


@family.method("auth.test")
def auth_test(call: Call) -> Answer:
    """Say whose token it is."""
    world = call.workspace.world
    return {
        "url": f"{call.workspace.origin}/",
        "team": world.team.name,
        "user": world.bot.name,
        "team_id": world.team.id,
        "user_id": world.app.bot_user,
        "bot_id": world.app.bot_id,
        "is_enterprise_install": False,
    }


@family.method("api.test", auth="none")
def api_test(call: Call) -> Answer:
    """Echo the arguments; `error` makes it fail with that error."""
    echoed = {key: value for key, value in call.args.items() if key != "token"}
    if (error := call.text("error")) is not None:
        raise Refused(error, args=echoed)
    return {"args": echoed}


@family.method("apps.connections.open", "connections:write", auth="app")
def open_connection(call: Call) -> Answer:
    """Hand out the address of a socket, good for one connection."""
    workspace = call.workspace
    address = workspace.origin.replace("http://", "ws://", 1)
    return {"url": f"{address}/link/?ticket={workspace.sockets.ticket()}&app_id={workspace.world.app.id}"}


@family.method("team.info", "team:read")
def team_info(call: Call) -> Answer:
    """Describe the workspace."""
    team = call.workspace.world.team
    described = {"id": team.id, "name": team.name, "domain": team.domain, "email_domain": "", "icon": {}}
    return {"team": described | {"url": f"{call.workspace.origin}/"}}


@family.method("bots.info", "users:read")
def bot_info(call: Call) -> Answer:
    """Describe the app's bot."""
    wanted = call.text("bot")
    if wanted not in {None, call.workspace.world.app.bot_id}:
        raise Refused("bot_not_found")
    return {"bot": bot_profile(call.workspace)}


@family.method("blocks.validate")
def validate_blocks(call: Call) -> Answer:
    """Check blocks, a message or a view without posting them."""
    blocks = call.json("blocks", "invalid_blocks_format")
    message = call.json("message", "invalid_arguments")
    view = call.json("view", "invalid_arguments")
    if sum(each is not None for each in (blocks, message, view)) != 1:
        raise invalid("invalid_arguments", ["provide exactly one of blocks, message or view"])
    if view is not None:
        problems, error = view_problems(view), "invalid_arguments"
    else:
        given = message.get("blocks", []) if isinstance(message, dict) else blocks
        problems, error = message_problems(given), "invalid_blocks"
    if problems:
        raise invalid(error, problems)
    return {}
