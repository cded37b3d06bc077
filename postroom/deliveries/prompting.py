"""What is said to whom, chosen with the claim: the versions of a page, and one cast for each of its messages."""

import logging
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from postroom.database.engine import Connection
from postroom.identity import DELIVERY, public_id
from postroom.rendering.casts import Cast, Repertoire, common_of
from postroom.rendering.trouble import Code, Trouble
from postroom.templates.casting import Casting
from postroom.templates.content import Content
from postroom.templates.library import Pin, contents

log = logging.getLogger(__name__)

KEPT = 50  # contents of versions, which never change and have up to 2 MB each
UNAPPROVED = Trouble("template_not_approved", "Nobody approved this version as it stands.")


@dataclass(frozen=True, slots=True)
class Prompt:
    """The versions a page speaks with; what was never approved is said to nobody."""

    repertoires: Mapping[Pin, Repertoire]

    def cast(self, casting: Casting, recipient: str, delivery_id: UUID) -> Cast | Trouble:
        """Choose what one recipient is told, or say why that cannot be done."""
        repertoire = self.repertoires.get((casting.template_id, casting.version))
        if repertoire is None:
            return UNAPPROVED
        try:
            return repertoire.cast(casting, recipient)
        except Exception:  # a fault of ours with one content must not stop its neighbours
            log.exception("nothing could be chosen for %s", public_id(DELIVERY, delivery_id))
            return Trouble(Code.VALUE, "Nothing could be chosen to say.")


class Prompter:
    """Prompts page after page; knows the versions it has prompted before."""

    def __init__(self) -> None:
        self._contents: OrderedDict[tuple[UUID, UUID, int], Content] = OrderedDict()

    async def prompt(self, connection: Connection, tenant_id: UUID, pins: Collection[Pin]) -> Prompt:
        """Read the versions that are not known yet, and what the tenant's templates share now."""
        if not pins:
            return Prompt({})
        unknown = [pin for pin in sorted(pins) if (tenant_id, *pin) not in self._contents]
        self._contents |= {(tenant_id, *pin): one for pin, one in (await contents(connection, unknown)).items()}
        common = await common_of(connection, tenant_id)
        known = {pin: one for pin in pins if (one := self._contents.get((tenant_id, *pin)))}
        for pin in known:
            self._contents.move_to_end((tenant_id, *pin))
        while len(self._contents) > max(KEPT, len(known)):
            self._contents.popitem(last=False)
        return Prompt({pin: Repertoire(tenant_id, content, common) for pin, content in known.items()})
