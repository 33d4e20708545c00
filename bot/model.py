"""The language model that words answers, where the operator chose one. Without one nothing is imported."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from bot.settings import ModelSettings, SettingsError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from knowledge.answer import Answer

Rewording = Callable[["Answer"], Awaitable["Answer"]]

MOST_TOKENS = 800  # of a reply
_ABSENT = "none"  # what a client that insists on a key gets for a server that wants none


async def as_quoted(answer: "Answer") -> "Answer":
    """Leave an answer in its documents' words."""
    return answer


async def rewording(chosen: ModelSettings | None, key: str | None) -> Rewording | None:
    """Return what words an answer with the model that the operator chose; None where none is chosen.

    Raises SettingsError when its client is not installed.
    """
    if chosen is None:
        return None
    model = await asyncio.to_thread(lambda: Langchain(_opened(chosen, key)))  # imports for a second or two
    from knowledge.grounding import worded  # noqa: PLC0415 - only where there is a model

    async def reword(answer: "Answer") -> "Answer":
        return await worded(answer, model, seconds=chosen.timeout)

    return reword


async def answers(chosen: ModelSettings, key: str | None) -> None:
    """Return once the model has said something. Raises SettingsError without its client, else ModelFailed."""
    model = await asyncio.to_thread(lambda: Langchain(_opened(chosen, key)))
    await model.complete("Answer with one word.", "Are you there?")


class Langchain:
    """A chat model of LangChain's, as `knowledge.grounding` wants one."""

    def __init__(self, chat: "BaseChatModel") -> None:
        self._chat = chat

    async def complete(self, system: str, user: str) -> str:
        """Return what the model says. Raises ModelFailed. No tracer of LangChain's hears of it."""
        from langchain_core.messages import HumanMessage, SystemMessage  # noqa: PLC0415 - see above
        from langsmith import tracing_context  # noqa: PLC0415

        from knowledge.errors import ModelFailed  # noqa: PLC0415

        try:
            with tracing_context(enabled=False):
                said = await self._chat.ainvoke([SystemMessage(system), HumanMessage(user)])
        except Exception as error:  # the edge to another's process: each client raises classes of its own
            raise ModelFailed(f"{type(error).__name__} from the model") from error
        return str(said.text)


def _opened(chosen: ModelSettings, key: str | None) -> "BaseChatModel":
    package, name, extra = {
        "anthropic": ("langchain_anthropic", "ChatAnthropic", "anthropic"),
        "openai": ("langchain_openai", "ChatOpenAI", "openai"),
        "ollama": ("langchain_ollama", "ChatOllama", "ollama"),
    }[chosen.provider]
    try:
        kind = getattr(importlib.import_module(package), name)
    except ImportError as error:
        raise SettingsError(
            f"The model's provider '{chosen.provider}' needs a package that is not installed. "
            f"Install it with: pip install 'countersign-bot[{extra}]'"
        ) from error
    opened: BaseChatModel = kind(**_options(chosen, key))
    return opened


def _options(chosen: ModelSettings, key: str | None) -> dict[str, Any]:
    """Return what each client is told: one try, a bounded reply, the operator's address and no other."""
    url = chosen.address
    if chosen.provider == "ollama":
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        client = {"timeout": chosen.timeout, "headers": headers}
        return {
            "model": chosen.name, "base_url": url, "num_predict": MOST_TOKENS, "client_kwargs": client,
        }  # fmt: skip
    return {
        "model": chosen.name,
        "base_url": url,
        "api_key": key or _ABSENT,
        "timeout": chosen.timeout,
        "max_tokens": MOST_TOKENS,
        "max_retries": 0,
    }
