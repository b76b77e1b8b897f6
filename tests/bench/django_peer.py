"""The other side of the bench, run by the bench's own Python: django-tenants makes a tenant for each line it reads.

Usage: django_peer.py FOLDER PORT USER DATABASE, with PEER_PASSWORD in the environment; FOLDER holds `workspace`.
"""

import os
import sys
import time
import uuid

import django
from django.conf import settings

FOLDER, PORT, USER, DATABASE = sys.argv[1:5]
sys.path.insert(0, FOLDER)

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django_tenants.postgresql_backend",
            "NAME": DATABASE,
            "USER": USER,
            "PASSWORD": os.environ["PEER_PASSWORD"],
            "HOST": "127.0.0.1",
            "PORT": PORT,
        }
    },
    DATABASE_ROUTERS=("django_tenants.routers.TenantSyncRouter",),
    SHARED_APPS=("django_tenants", "django.contrib.contenttypes", "customers"),
    TENANT_APPS=("workspace",),
    INSTALLED_APPS=("django_tenants", "django.contrib.contenttypes", "customers", "workspace"),
    TENANT_MODEL="customers.Client",
    TENANT_DOMAIN_MODEL="customers.Domain",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    SECRET_KEY="only for measuring",
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django_tenants.utils import schema_context  # noqa: E402


def main() -> None:
    if len(sys.argv) > 5:
        call_command("makemigrations", "customers", "workspace", verbosity=0)
        return
    call_command("migrate_schemas", shared=True, verbosity=0)
    from customers.models import Client, Domain
    from workspace.models import Principal

    print("ready", flush=True)
    for line in sys.stdin:
        name = line.strip()
        started = time.perf_counter()
        client = Client(schema_name=name, name=name)
        client.save(verbosity=0)
        Domain.objects.create(domain=f"{name}.parvis.localhost", tenant=client, is_primary=True)
        with schema_context(name):
            Principal.objects.create(
                id=uuid.uuid4(),
                kind="m",
                name="Owner",
                email="owner@example.org",
                role=3,
                prefs={},
                locale="fr",
                tz="Europe/Paris",
                created_at="2026-01-01T00:00:00Z",
            )
        print((time.perf_counter() - started) * 1000, flush=True)


main()
