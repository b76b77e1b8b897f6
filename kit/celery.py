"""Celery, the doorbell: a message carries an organisation's id and no authority, and losing it costs seconds only."""

from typing import Any
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError

from kit import logs
from kit.settings import SettingError, broker_url

WAKE = "wake"
VISIBILITY_SECONDS = 300
# One more try at once and no pause: kombu's own patience would keep whoever orders waiting for six seconds.
IMPATIENT = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
TRANSPORT = {
    # A message of a killed worker comes back after this; a job ends within 120 s, so none runs twice by it.
    "visibility_timeout": VISIBILITY_SECONDS,
    "unacked_restore_interval": 10,
    # The one who orders does not wait for a broker that is away: the sweep rings again.
    **IMPATIENT,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "retry_on_timeout": False,
}
CONFIGURATION: dict[str, Any] = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "task_ignore_result": True,
    "result_backend": None,
    "task_soft_time_limit": 90,
    "task_time_limit": 120,
    "task_create_missing_queues": True,
    "task_default_queue": "parvis",
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": TRANSPORT,
    "task_publish_retry": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "enable_utc": True,
}
# RabbitMQ in production: quorum queues survive a node, and a publisher waits for its confirmation.
RABBITMQ: dict[str, Any] = {
    "task_default_queue_type": "quorum",
    "task_default_exchange_type": "topic",
    "worker_detect_quorum_queues": True,
    "broker_transport_options": {**IMPATIENT, "confirm_publish": True, "connect_timeout": 1, "socket_timeout": 5},
}

log = logs.get(__name__)


def make_app(url: str) -> Celery:
    """An application on the broker at `url`."""
    made = Celery("parvis", broker=url, set_as_current=False)
    made.conf.update(CONFIGURATION)
    if url.startswith("amqp"):
        made.conf.update(RABBITMQ)
    return made


class Doorbell:
    """Rings the worker. Made on first use, since not every process has a broker's address."""

    def __init__(self) -> None:
        self._app: Celery | None = None
        self._url = ""

    def app(self) -> Celery:
        """The application on PARVIS_BROKER_URL; raises SettingError where there is none."""
        url = broker_url()
        if self._app is None or url != self._url:
            self._app, self._url = make_app(url), url
        return self._app

    def ring(self, organisation_id: UUID) -> None:
        """Wake the loop for one organisation. A broker that is away is logged and forgiven."""
        try:
            self.app().send_task(WAKE, args=[str(organisation_id)], ignore_result=True, retry=False)
        except (OperationalError, OSError, SettingError) as error:
            log.warning("the doorbell could not ring", organisation_id=str(organisation_id), error=str(error))


_doorbell = Doorbell()


def ring(organisation_id: UUID) -> None:
    """Wake the loop for one organisation, now. Never raises for a broker that is away: the sweep rings again."""
    _doorbell.ring(organisation_id)


def __getattr__(name: str) -> Any:
    """`kit.celery.app`: made when first asked for, since only some processes know a broker."""
    if name == "app":
        return _doorbell.app()
    raise AttributeError(name)


__all__ = ["WAKE", "make_app", "ring"]
