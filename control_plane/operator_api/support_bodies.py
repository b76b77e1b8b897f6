"""What scripts send about support access. Consent is no part of it: that is given in the organisation's own console."""

from typing import Annotated

from msgspec import Meta

from control_plane.operator_api.bodies import Body


class NewSupportAccess(Body, kw_only=True):
    """Somebody of the staff asks to come into the workspace."""

    staff: Annotated[
        str,
        Meta(min_length=3, max_length=254, description="Whose e-mail; who asks by it enters by it, and nobody else."),
    ]
    reason: Annotated[str, Meta(min_length=1, max_length=500, description="The administrators read it.")]
    read_only: Annotated[bool, Meta(description="False: to write as well.")] = True
    hours: Annotated[int, Meta(ge=3, le=168, description="How long, counted from the consent.")] = 3
