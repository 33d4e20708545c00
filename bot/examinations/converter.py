"""What is needed of the process that reads documents: that it starts, and reaches nothing else."""

import asyncio
from collections.abc import Sequence

from bot.examinations.patient import Patient, fine, wrong
from connectors.base import Finding
from knowledge.sources.apart import confinement

_MEND = (
    "Ingest on Linux with seccomp (a container's own profile may forbid it), or on a machine that holds "
    "nothing else, and bring the edition from there."
)


async def examine(patient: Patient) -> Sequence[Finding]:
    """Start such a process, and have it try what it must not be able to do."""
    confined, said = await asyncio.to_thread(confinement)
    return [fine("reading apart", said) if confined else wrong("reading apart", said, _MEND)]
