"""The language model that a home's settings name, for a command."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands.options import Failure
from bot.demo import home as demo
from bot.settings import load

if TYPE_CHECKING:
    from knowledge.answer import Answer


def rewording(home: Path, *, wanted: bool) -> "Callable[[Answer], Answer] | None":
    """Return what words an answer; None where the settings name no model and none is wanted.

    Raises Failure where one is wanted, and SettingsError.
    """
    settings = load(home)
    if settings.model is None:
        if wanted:
            raise Failure(f"{home} has no [model] in countersign.toml (docs/model-answers.md).")
        return None
    from bot import credentials, model  # noqa: PLC0415 - only where there is a model
    from connectors.secrets import demo_key  # noqa: PLC0415

    chosen = settings.model
    key = credentials.model_key(settings, key=demo_key(home) if demo.is_demo(home) else None)

    async def reword(answer: "Answer") -> "Answer":
        word = await model.rewording(chosen, key) or model.as_quoted
        return await word(answer)

    return lambda answer: asyncio.run(reword(answer))
