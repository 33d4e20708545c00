"""The company directory over SCIM 2.0.

`directory.py` answers about people and groups, `operations.py` changes a membership. Below them `scim.py`
asks the server, `records.py` reads what came, `memberships.py` makes one change sure, `examination.py` says
what a server lacks.
"""

from connectors.directory.directory import Directory, Group, Named, Person, Some, open_directory
from connectors.directory.operations import Added, AddToGroup, Membership, Removed, RemoveFromGroup

__all__ = [
    "AddToGroup",
    "Added",
    "Directory",
    "Group",
    "Membership",
    "Named",
    "Person",
    "RemoveFromGroup",
    "Removed",
    "Some",
    "open_directory",
]
