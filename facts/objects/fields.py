"""The types of text fields: names, addresses, CIDRs, timestamps."""

import re
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Final

from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import int_schema, no_info_after_validator_function, str_schema

from liqo_connectivity.facts.objects.models import Shape

LABEL_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""A DNS-1123 label; also the pattern of a Liqo cluster id (its ClusterID type)."""

SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""A DNS-1123 subdomain, which every object name that is read here has to be."""

LABEL_KEY_PATTERN: Final = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
"""The key of a label: perhaps a DNS-1123 subdomain and a slash, then a name."""

LABEL_VALUE_PATTERN: Final = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
"""The value of a label, which may be empty."""

PRINTABLE_PATTERN: Final = "^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""A text without control characters and line separators, which could forge lines of output."""

MAX_LABEL: Final = 63
"""The longest DNS-1123 label."""

MAX_CLUSTER_ID: Final = 51
"""The longest cluster id: ``liqo-tenant-<id>`` has to be a namespace name, of at most 63 characters."""

TENANT_PREFIX: Final = "liqo-tenant-"

_LABEL = re.compile(LABEL_PATTERN.replace("$", r"\Z"))
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_FRACTION = re.compile(r"\.\d+")


def is_label(text: str) -> bool:
    """Whether a text is a DNS-1123 label, as the name of every namespace is."""
    return len(text) <= MAX_LABEL and _LABEL.match(text) is not None


def is_cluster_id(text: str) -> bool:
    """Whether a text can be the id of a Liqo cluster that has a tenant namespace."""
    return len(text) <= MAX_CLUSTER_ID and _LABEL.match(text) is not None


def canonical_address(text: str) -> str:
    """The canonical text of an IP address; an IPv4-mapped IPv6 address becomes the IPv4 one.

    Raises:
        ValueError: the text is not an address, or has an IPv6 scope, which means something on one node only.
    """
    if _IPV4.fullmatch(text):
        return text
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise ValueError("an address with a scope")
        return str(address.ipv4_mapped or address)
    return str(address)


def seconds_since_epoch(text: str) -> int:
    """Whole seconds since 1970 of an RFC 3339 timestamp, rounded down, within what 32 bits of a rule can hold.

    The greatest of them is left to rules, for what has no time yet.

    Raises:
        ValueError: the text is not such a timestamp.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 timestamp")
    seconds = int(datetime.fromisoformat(_FRACTION.sub("", text.upper())).timestamp())
    return max(-(2**31), min(seconds, 2**31 - 2))


def _address(text: str) -> str:
    if text:
        try:
            canonical_address(text)
        except ValueError:
            raise PydanticCustomError("address", "is not an IP address") from None
    return text


def _service_address(text: str) -> str:
    return text if text == "None" else _address(text)


def _timestamp(text: str) -> str:
    try:
        seconds_since_epoch(text)
    except (ValueError, OverflowError):
        raise PydanticCustomError("timestamp", "is not a timestamp such as 2026-07-01T10:00:00Z") from None
    return text


CIDR_TEXT: Final = str_schema(max_length=64, pattern=PRINTABLE_PATTERN)
"""The schema of ``CidrText``."""

Name = Annotated[str, Shape(str_schema(max_length=253, pattern=SUBDOMAIN_PATTERN))]
NamespaceName = Annotated[str, Shape(str_schema(max_length=MAX_LABEL, pattern=LABEL_PATTERN))]
AddressText = Annotated[str, Shape(no_info_after_validator_function(_address, str_schema()))]
"""An IP address as written, in any form; empty means none."""
ServiceAddress = Annotated[str, Shape(no_info_after_validator_function(_service_address, str_schema()))]
"""An IP address of a Service as written, empty while it has none, or ``None`` for a headless Service."""
PortNumber = Annotated[int, Shape(int_schema(strict=True, ge=0, le=65535))]
CidrText = Annotated[str, Shape(CIDR_TEXT)]
"""A CIDR as written; whether it is one is for the rules to say."""
PlainText = Annotated[str, Shape(str_schema(max_length=253, pattern=PRINTABLE_PATTERN))]
"""A keyword or name as written; which ones are valid is for the rules to say."""
Timestamp = Annotated[str, Shape(no_info_after_validator_function(_timestamp, str_schema()))]
