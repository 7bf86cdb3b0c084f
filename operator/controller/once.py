"""The controller for one pass: it reads the cluster, writes what is to be written or prints it, and ends.

This module must not know what is decided or written.
"""

import logging
import time
from typing import Final

import click

from liqo_connectivity.operator.commands import exits
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.parts import End, Parts
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.writing.preview import previews
from liqo_connectivity.operator.explain.report import sentence
from liqo_connectivity.operator.kube.api import ApiError, NotLeading

_PATIENCE: Final = 0.1
"""Seconds between looks at whether it is done, or has to end."""
_LOG: Final = logging.getLogger(__name__)


def once(parts: Parts, *, dry: bool) -> int:
    """Make the pass; the exit code. If ``dry``, print a diff of what would be written."""
    parts.watch()
    try:
        end = _settle(parts, dry=dry)
    finally:
        parts.stop(release=True)
    if end is not None:
        return end.code
    failed = _print(parts) if dry else parts.reconciler.failing
    pending = _report_pending(parts.state)
    return exits.UNKNOWN if failed or pending else exits.OK


def _settle(parts: Parts, *, dry: bool) -> End | None:
    """Go round until there is nothing more to do, or a reason to end."""
    reconciler = parts.reconciler
    limit = time.monotonic() + parts.settings.once_timeout
    while not (reconciler.loaded if dry else reconciler.quiescent):
        if not parts.ended.empty():
            return parts.ended.get()
        if time.monotonic() > limit:
            leader = parts.lease.holder if parts.lease is not None else ""
            _LOG.error("Did not finish in time", extra=fields(unlisted=parts.unlisted(), leader=leader))
            return End.LATE
        parts.campaign()
        try:
            reconciler.step(_PATIENCE)
        except NotLeading:
            return End.LOST
    return None


def _print(parts: Parts) -> bool:
    """Print what would be written; whether anything could not be."""
    failed = False
    try:
        for preview in previews(parts.state, parts.api):
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
    """Log every policy without a chain of its own; whether there is one."""
    rows = state.rows("condition_false")
    for policy, condition, *why in rows:
        about = fields(policy=policy, condition=condition, reason=why[0], message=sentence(*why))
        _LOG.warning("Policy was held back", extra=about)
    unread = state.rows("condition_unreadable")
    for namespace, name, condition, reason, problem in unread:
        about = fields(policy=f"{namespace}/{name}", condition=condition, reason=reason, message=problem)
        _LOG.warning("Policy was held back", extra=about)
    return bool(rows or unread)
