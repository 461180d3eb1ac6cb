"""Doors and wiring: HTTP, command line, Python. The only reader of the environment.

>>> from api import check, governed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.python_door import check, governed
    from governance.governed_model import GovernedModel

__all__ = ["GovernedModel", "check", "governed"]


def __getattr__(name: str) -> Any:
    # The Python door opens only when someone asks for it: importing `api` stays light.
    if name not in __all__:
        raise AttributeError(f"module 'api' has no attribute {name!r}")
    from api import python_door

    return getattr(python_door, name)
