"""A change to one organisation: told by a dry run, or made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Response
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.orm import Session

from control_plane import organisations
from control_plane.audit import Actor
from control_plane.operator_api.presenting import accepted, effects_view
from control_plane.operator_api.reading import ApiRequest
from control_plane.operator_api.schemas import EffectsView, OperationView
from control_plane.organisations import Organisation
from control_plane.provisioning import Operation
from kit.errors import Refusal
from kit.interface import Translator, locale_of, translator

DryRun = Annotated[bool, QueryParameter(description="Tell what would happen, and do nothing.")]
Answer = Response[OperationView] | Response[EffectsView]


@dataclass(frozen=True)
class Change:
    """Somebody changes an organisation, or only asks what that would do."""

    session: Session
    organisation: Organisation
    actor: Actor
    words: Translator
    dry_run: bool

    def make(self, action: str, verb: Callable[..., Operation], revision: int, **wish: Any) -> Answer:
        """202 and the operation; on a dry run 200 and the effects."""
        if self.dry_run:
            effects = organisations.preview(self.session, self.organisation.id, action, **wish)
            return Response(effects_view(effects, self.words), status_code=200)
        return accepted(
            self.session, verb(self.session, self.organisation.id, actor=self.actor, revision=revision, **wish)
        )

    def must_stand(self, kind: str, effect: str) -> None:
        """The noun of the address must be there to be taken off."""
        standing = organisations.holds(self.session, self.organisation.id, standing_only=True)
        if not any(one.kind == kind and one.effect == effect for one in standing):
            raise Refusal("no_such_hold", "No {kind} hold stands.", field="kind", status=409, kind=kind)


async def provide_change(
    request: ApiRequest,
    session: NamedDependency[Session],
    organisation: NamedDependency[Organisation],
    actor: NamedDependency[Actor],
    dry_run: DryRun = False,
) -> Change:
    """The change that this request is about."""
    return Change(session, organisation, actor, translator(locale_of(request)), dry_run)
