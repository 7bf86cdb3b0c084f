"""Kubernetes objects in, facts out, each with the field it was read from.

>>> pod = {"metadata": {"namespace": "shop", "name": "web-0"}, "status": {"podIP": "10.71.2.7"}}
>>> decoded = decode_mapping(KIND_BY_NAME["Pod"], pod)
>>> base = FactBase()
>>> delta = base.replace(decoded.key, decoded.facts)
>>> sorted(base.rows("pod_ip"))
[PodIp(pod='shop/web-0', address='10.71.2.7')]
>>> base.facts_for("pod_ip", ("shop/web-0", "10.71.2.7"))[0].field
'/status/podIP'

Files are read by :func:`read`, and facts written down by :mod:`liqo_connectivity.facts.dumps.dump`.
"""

from liqo_connectivity.facts.base.fact import Fact, ObjectKey, Row, Source
from liqo_connectivity.facts.base.fact_base import FactBase, FactChange
from liqo_connectivity.facts.base.problems import Problem
from liqo_connectivity.facts.extraction.decode import Decoded, decode_json, decode_mapping
from liqo_connectivity.facts.extraction.kinds import KIND_BY_NAME, KINDS, Kind, kind_of
from liqo_connectivity.facts.reading.collector import Reading
from liqo_connectivity.facts.reading.files import read

__all__ = [
    "KINDS",
    "KIND_BY_NAME",
    "Decoded",
    "Fact",
    "FactBase",
    "FactChange",
    "Kind",
    "ObjectKey",
    "Problem",
    "Reading",
    "Row",
    "Source",
    "decode_json",
    "decode_mapping",
    "kind_of",
    "read",
]
