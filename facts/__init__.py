"""Kubernetes objects in, facts out, each with the field it was read from.

>>> pod = {"metadata": {"namespace": "shop", "name": "web-0"}, "status": {"podIP": "10.71.2.7"}}
>>> decoded = decode_mapping(KIND_BY_NAME["Pod"], pod)
>>> base = FactBase()
>>> delta = base.replace(decoded.key, decoded.facts)
>>> sorted(base.rows("pod_ip"))
[PodIp(pod='shop/web-0', address='10.71.2.7')]
>>> base.facts_for("pod_ip", ("shop/web-0", "10.71.2.7"))[0].field
'/status/podIP'

Files are read by :func:`read`, and facts written by :func:`jsonl_lines` and :func:`write_folder`.
"""

from liqo_connectivity.facts.base.fact import Fact, ObjectKey, Row, Source
from liqo_connectivity.facts.base.fact_base import FactBase, FactChange
from liqo_connectivity.facts.base.problems import Problem, one_line, unreadable
from liqo_connectivity.facts.dumps.dump import jsonl_lines, load_jsonl, sorted_lines, write_folder
from liqo_connectivity.facts.dumps.redaction import redact
from liqo_connectivity.facts.extraction.controller_facts import (
    FIREWALL_SUFFIX,
    OWNER_ANNOTATION,
    STANDIN_SUFFIX,
    enforcing,
    firewall_configuration,
)
from liqo_connectivity.facts.extraction.decode import Decoded, decode_json, decode_mapping
from liqo_connectivity.facts.extraction.input_facts import kinds_absent
from liqo_connectivity.facts.extraction.kinds import KIND_BY_NAME, KINDS, Kind, kind_of
from liqo_connectivity.facts.extraction.label_facts import (
    Labels,
    named_keys,
    packed_labels,
    with_labels,
    without_labels,
)
from liqo_connectivity.facts.objects.core_objects import FIREWALL_CRD
from liqo_connectivity.facts.objects.field_names import policy_field_hint
from liqo_connectivity.facts.objects.fields import canonical_address
from liqo_connectivity.facts.objects.service_objects import DNS_APP, DNS_LABEL, DNS_NAMESPACE
from liqo_connectivity.facts.parsing.documents import UnparsableError
from liqo_connectivity.facts.parsing.locators import FixedLine
from liqo_connectivity.facts.parsing.manifests import parse_manifest
from liqo_connectivity.facts.reading.collector import Collector, Edits, Reading
from liqo_connectivity.facts.reading.files import read
from liqo_connectivity.facts.reading.states import Origin

__all__ = [
    "DNS_APP",
    "DNS_LABEL",
    "DNS_NAMESPACE",
    "FIREWALL_CRD",
    "FIREWALL_SUFFIX",
    "KINDS",
    "KIND_BY_NAME",
    "OWNER_ANNOTATION",
    "STANDIN_SUFFIX",
    "Collector",
    "Decoded",
    "Edits",
    "Fact",
    "FactBase",
    "FactChange",
    "FixedLine",
    "Kind",
    "Labels",
    "ObjectKey",
    "Origin",
    "Problem",
    "Reading",
    "Row",
    "Source",
    "UnparsableError",
    "canonical_address",
    "decode_json",
    "decode_mapping",
    "enforcing",
    "firewall_configuration",
    "jsonl_lines",
    "kind_of",
    "kinds_absent",
    "load_jsonl",
    "named_keys",
    "one_line",
    "packed_labels",
    "parse_manifest",
    "policy_field_hint",
    "read",
    "redact",
    "sorted_lines",
    "unreadable",
    "with_labels",
    "without_labels",
    "write_folder",
]
