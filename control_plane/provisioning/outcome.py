"""What the loop tells the room above, in the transaction in which it became true."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane.provisioning.order import Desired, Shown

Result = Literal["started", "settled", "failed", "rolled_back", "cancelled", "mended"]


@dataclass(frozen=True)
class Outcome:
    """How an operation went.

    `started` a creation begins; `settled` what was wanted is true; `failed` it is not, and the organisation stays as it
    was; `rolled_back` and `cancelled` a creation has been undone and nothing of it is left; `mended` drift was found in
    `steps` and put right. `shows` is what members see now, None where there is nothing to see.
    """

    organisation_id: UUID
    operation_id: UUID
    kind: str
    desired: Desired
    shows: Shown | None
    result: Result
    error_code: str | None = None
    error: str | None = None
    steps: tuple[str, ...] = ()


OnSettled = Callable[[Session, Outcome], None]
