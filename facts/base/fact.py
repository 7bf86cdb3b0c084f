"""What a fact is: a typed row, with the object and the field that it was read from."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

from liqo_connectivity.rules.relations import RELATION_NAMES

Row = tuple[str | int, ...]
"""A row of any relation: an instance of one of the classes of ``rules.relations``."""


class ObjectKey(NamedTuple):
    """What identifies an object among all that are read. ``namespace`` is empty for a cluster-scoped object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {symbol(self.namespace, self.name)}".strip()


class Source(NamedTuple):
    """The object that asserts a fact; all the facts of one object share one instance.

    An object whose name could not be read is named by its place, ``file:line``.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str

    @property
    def key(self) -> ObjectKey:
        """The key of the object."""
        return ObjectKey(self.kind, self.namespace, self.name)


class Fact(NamedTuple):
    """One row with its provenance.

    ``field`` is the JSON pointer (RFC 6901) of the field that the row was read from, and ``value`` the scalar there as
    written, or ``True`` where the presence of the field is the fact. For an ``unreadable`` row,
    ``field`` is the offending field and ``value`` its place, ``file:line``.
    """

    row: Row
    source: Source
    field: str
    value: str | int | bool

    @property
    def relation(self) -> str:
        """The name of the relation that the row belongs to."""
        return RELATION_NAMES[type(self.row)]


def make_row(row_class: type[Row], columns: Iterable[str | int]) -> Row:
    """A row of a class of ``rules.relations``, which has as many columns."""
    # The declared type, a tuple, is made from one iterable, but a named tuple from its columns.
    return cast("Callable[..., Row]", row_class)(*columns)


def symbol(namespace: str, name: str) -> str:
    """The symbol of an object in rows: ``namespace/name``, or ``name`` when it is cluster-scoped."""
    return f"{namespace}/{name}" if namespace else name


def pointer(*segments: str | int) -> str:
    """The JSON pointer of a path, escaped as RFC 6901 wants.

    >>> pointer("metadata", "labels", "liqo.io/shadowPod")
    '/metadata/labels/liqo.io~1shadowPod'
    """
    return "".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments)


def segments(path: str) -> tuple[str, ...]:
    """The unescaped segments of a JSON pointer, the inverse of :func:`pointer`."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:])
