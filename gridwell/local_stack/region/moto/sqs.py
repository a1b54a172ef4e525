"""Patch of moto's SQS: safe under threads, and equally fast at any depth.

Behaviours of moto 5.2.5 that it replaces, in standard queues:

* `Queue` and `SQSBackend` scan the whole queue several times per call.  A receive of ten messages
  takes a second of CPU at a depth of 2,000.
* They share lists between threads without a lock.  Messages are delivered twice, and deleted ones
  come back.
* Sizes are counted in characters, without the attributes, and MaximumMessageSize has no effect.
* Characters that XML cannot carry are accepted, and a bad entry fails its whole batch.
* The receipt handle of an earlier delivery deletes or extends a message that another receiver has
  received since.
* `DomainDispatcherApplication.get_backend_for_host` walks 175 modules twice per request.

FIFO queues keep moto's own code, under the lock.
"""

from __future__ import annotations

import functools
import secrets
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sqs import models as _models

from gridwell.local_stack.region.moto import sqs_queue

if TYPE_CHECKING:
    from collections.abc import Callable

#: moto's module, untyped on purpose: this file replaces what is in it.
models: Any = _models

SUPPORTED_MOTO = "5.2.5"


def install() -> None:
    """Replace the slow and unsafe parts of moto's SQS, once per process.

    Raises:
        RuntimeError: moto is not the version that these replacements were written for.
    """
    if (found := version("moto")) != SUPPORTED_MOTO:
        raise RuntimeError(
            f"moto {found} is installed, but its SQS can only be made safe for moto"
            f" {SUPPORTED_MOTO}: pip install 'moto=={SUPPORTED_MOTO}'"
        )
    _replace()


@functools.cache  # patching a library is per process, like the library
def _replace() -> None:
    _patch_queue(models.Queue)
    _patch_backend(models.SQSBackend)
    models.generate_receipt_handle = _receipt_handle
    _cache_dispatch()


def _receipt_handle() -> str:
    """Return a new receipt handle; moto's generator is slower than the rest of a receive."""
    return secrets.token_urlsafe(138)


def _patch_queue(queue_class: Any) -> None:
    stock_init, stock_delete = queue_class.__init__, queue_class.delete_message

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        self.leases = {}  # receipt handle of the latest delivery -> message
        self.spent_handles = {}  # handles of earlier deliveries and deleted messages, in order
        stock_init(self, *args, **kwargs)

    def delete_message(self: Any, receipt_handle: str) -> None:
        if self.fifo_queue:
            with self._messages_lock:
                stock_delete(self, receipt_handle)
        else:
            sqs_queue.delete(self, receipt_handle)

    queue_class.__init__ = init
    queue_class.delete_message = delete_message
    for index, name in enumerate(("", "_not_visible", "_delayed")):
        setattr(queue_class, f"approximate_number_of_messages{name}", _counter(index))


def _counter(index: int) -> property:
    def count(self: Any) -> int:
        return sqs_queue.count_messages(self)[index]

    return property(count)


def _patch_backend(backend_class: Any) -> None:
    def get_queue_attributes(self: Any, queue_name: str, names: list[str]) -> dict[str, Any]:
        return sqs_queue.attributes_of(self.get_queue(queue_name), names)

    backend_class.get_queue_attributes = get_queue_attributes
    for name, standard in (
        ("send_message", _send_message),
        ("send_message_batch", _send_message_batch),
        ("receive_message", _receive_message),
        ("change_message_visibility", _change_message_visibility),
        ("purge_queue", _purge_queue),
    ):
        setattr(backend_class, name, _fifo_as_before(getattr(backend_class, name), standard))


def _fifo_as_before(stock: Callable[..., Any], standard: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operation: moto's own under the lock for FIFO queues, ours for the others."""

    @functools.wraps(stock)
    def operation(self: Any, queue_name: str, *args: Any, **kwargs: Any) -> Any:
        queue = self.get_queue(queue_name)
        if not queue.fifo_queue:
            return standard(queue, *args, **kwargs)
        with queue._messages_lock:  # noqa: SLF001 - moto's own lock, used by all of its code
            return stock(self, queue_name, *args, **kwargs)

    return operation


def _send_message(
    queue: Any,
    message_body: str,
    message_attributes: Any = None,
    *,
    validate_group_id: bool = True,  # noqa: ARG001 - what moto's SNS says; of FIFO queues only
    **kwargs: Any,
) -> Any:
    sqs_queue.check_message(queue, message_body, message_attributes)
    return sqs_queue.send(queue, message_body, message_attributes=message_attributes, **kwargs)


def _send_message_batch(queue: Any, entries: dict[str, Any]) -> Any:
    return sqs_queue.send_batch(queue, list(entries.values()))


def _receive_message(
    queue: Any,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> Any:
    names = message_attribute_names or []
    return sqs_queue.receive(queue, count, wait_seconds_timeout, visibility_timeout, names)


def _change_message_visibility(queue: Any, receipt_handle: str, visibility_timeout: int) -> None:
    sqs_queue.change_visibility(queue, receipt_handle, visibility_timeout)


def _purge_queue(queue: Any) -> None:
    with queue._messages_lock:  # noqa: SLF001 - moto's own lock
        for message in queue._messages:  # noqa: SLF001 - moto's own list
            sqs_queue.forget(queue, message)
        queue._messages = []  # noqa: SLF001 - moto's own list


def _cache_dispatch() -> None:
    """Cache the service of each host name."""
    dispatcher: Any = DomainDispatcherApplication
    stock = dispatcher.get_backend_for_host
    known: dict[str | None, Any] = {}

    def get_backend_for_host(self: Any, host: str | None) -> Any:
        if host not in known:
            known[host] = stock(self, host)
        return known[host]

    dispatcher.get_backend_for_host = get_backend_for_host
