"""Finding protocols by name: the built-in ones in the order of the board, then those that other packages register.

A package registers an instance of `Protocol` under its name in the entry-point group `erc_bench.protocols`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from erc_bench.contract.registry import origin_of, registered
from erc_bench.errors import DataError, UnknownNameError
from erc_bench.protocols.emotional import EMOTIONAL
from erc_bench.protocols.few_shot.protocol import FEW_SHOT
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.transfer import TRANSFER
from erc_bench.protocols.triplet.protocol import TRIPLET
from erc_bench.protocols.utterance import UTTERANCE

GROUP = "erc_bench.protocols"
BUILT_IN: tuple[Protocol, ...] = (UTTERANCE, LAST_TURN, EMOTIONAL, TRANSFER, TRIPLET, FEW_SHOT)


@cache
def protocols() -> Mapping[str, Protocol]:
    """Every protocol by its name, in the order of the board.

    Raises
    ------
    DataError
        A registered protocol cannot be imported, is none, or has another name than it is registered under.
    """
    found = {protocol.name: protocol for protocol in BUILT_IN}
    for name, point in sorted(registered(GROUP).items()):
        where = f"{point.value} of {origin_of(point)}"
        try:
            loaded = point.load()
        except (Exception, SystemExit) as error:
            raise DataError(
                f"the protocol {name} cannot be imported from {where}: {type(error).__name__}: {error}. Reinstall that "
                "package or report it to its authors."
            ) from error
        if not isinstance(loaded, Protocol) or loaded.name != name or name in found:
            raise DataError(
                f"{where} must be an instance of Protocol with the name {name!r}, which no other protocol has, got "
                f"{loaded!r}. Report it to its authors or remove that package."
            )
        found[name] = loaded
    return found


def protocol_of(section: str) -> str:
    """The name of the protocol that a section belongs to: it is called by it, or by it and what tells several apart."""
    return section.partition(" ")[0]


def find_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    if name not in protocols():
        raise UnknownNameError("a protocol", name, protocols())
    return protocols()[name]


def evidence_files() -> tuple[str, ...]:
    """Names of all files beside the predictions of a run that protocols keep and boards need."""
    return tuple(name for protocol in protocols().values() for name in protocol.evidence_files)
