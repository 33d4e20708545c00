"""What is needed of the language model that the settings name: its client, and one word of an answer."""

from collections.abc import Sequence

from bot import credentials, model
from bot.examinations.patient import Patient, fine, wrong
from bot.settings import SettingsError
from connectors.base import Finding
from knowledge.errors import ModelFailed


async def examine(patient: Patient) -> Sequence[Finding]:
    """Ask the model for one word. It costs a few tokens where the provider counts them."""
    chosen = patient.settings.model
    assert chosen is not None
    name = f"{chosen.provider} {chosen.name}"
    try:
        key = credentials.model_key(patient.settings, key=patient.key)
        await model.answers(chosen, key)
    except SettingsError as error:
        return [wrong(name, "cannot be asked", str(error))]
    except ModelFailed as error:
        mend = (
            f"Check name and base_url in [model], the secret model_key, and whether {chosen.address} is up."
        )
        return [wrong(name, f"{error} at {chosen.address}; answers are quotes meanwhile", mend)]
    return [fine(name, f"answers at {chosen.address}")]
