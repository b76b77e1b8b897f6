"""Every table of the control plane's database, gathered for Alembic."""

import control_plane.audit.models
import control_plane.catalogue.models
import control_plane.console.models
import control_plane.fleet.models
import control_plane.identity.models
import control_plane.identity.organisation_models
import control_plane.operator_api.models
import control_plane.organisations.models
import control_plane.placement.models
import control_plane.provisioning.models
import control_plane.signup.models
import control_plane.storage.keys_models
import control_plane.storage.mirror_models  # noqa: F401 - imported for their tables
from kit.db import Base

metadata = Base.metadata
