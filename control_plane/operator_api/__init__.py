"""The operator API: `/api/v1` on the portal's host, for the provider's scripts and the `parvis` command."""

from control_plane.operator_api.idempotency import purge_answers
from control_plane.operator_api.limits import Buckets
from control_plane.operator_api.openapi import document
from control_plane.operator_api.router import PATH, router

__all__ = ["PATH", "Buckets", "document", "purge_answers", "router"]
