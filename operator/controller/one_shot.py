"""One pass of the controller, for ``--once`` and ``--dry-run``: reads the cluster, writes or prints, and exits."""

import logging
import time
from typing import Final

import click

from liqo_connectivity.operator import exits
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.manager import ExitReason, Manager
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.writing.preview import previews
from liqo_connectivity.operator.explain.reasons import sentence
from liqo_connectivity.operator.kube.errors import ApiError, NotLeading

_PATIENCE: Final = 0.1
"""Seconds between two checks whether the pass is done or has to end."""
_LOG: Final = logging.getLogger(__name__)


def run_once(manager: Manager, *, dry: bool) -> int:
    """Make one pass; the exit code. If ``dry``, print a diff of what would be written."""
    manager.start_reflectors()
    try:
        end = _settle(manager, dry=dry)
    finally:
        manager.stop(release=True)
    if end is not None:
        return exits.INTERRUPTED if end is ExitReason.SIGNAL else end.code
    failed = _print(manager) if dry else manager.loop.failing
    if dry and not manager.ended.empty():
        return exits.INTERRUPTED
    pending = _report_pending(manager.state)
    return exits.UNKNOWN if failed or pending else exits.OK


def _settle(manager: Manager, *, dry: bool) -> ExitReason | None:
    """Run the loop until nothing is left to do, or there is a reason to exit."""
    loop = manager.loop
    limit = time.monotonic() + manager.settings.once_timeout
    while not (loop.loaded if dry else loop.quiescent):
        if not manager.ended.empty():
            return manager.ended.get()
        if time.monotonic() > limit:
            leader = manager.elector.holder if manager.elector is not None else ""
            _LOG.error("Did not finish in time", extra=fields(unlisted=manager.unlisted(), leader=leader))
            return ExitReason.LATE
        manager.campaign()
        try:
            loop.step(_PATIENCE)
        except NotLeading:
            return ExitReason.LOST
    return None


def _print(manager: Manager) -> bool:
    """Print what would be written, until a signal; whether anything could not be written."""
    failed = False
    try:
        for preview in previews(manager.state, manager.api):
            if not manager.ended.empty():
                break
            click.echo("".join(f"{line}\n" for line in preview.lines), nl=False)
            if preview.problem:
                failed = True
                about = fields(namespace=preview.key.namespace, name=preview.key.name, reason=preview.problem)
                _LOG.warning("Could not be written", extra=about)
    except ApiError as error:
        _LOG.error("Stored objects could not be read", extra=fields(error=str(error)))
        return True
    return failed


def _report_pending(state: State) -> bool:
    """Log every policy that has no chain yet; whether there is one."""
    rows = state.rows("condition_false")
    for policy, condition, *why in rows:
        about = fields(policy=policy, condition=condition, reason=why[0], message=sentence(*why))
        _LOG.warning("Policy is pending", extra=about)
    unread = state.rows("condition_unreadable")
    for namespace, name, condition, reason, problem in unread:
        about = fields(policy=f"{namespace}/{name}", condition=condition, reason=reason, message=problem)
        _LOG.warning("Policy is pending", extra=about)
    return bool(rows or unread)
