"""Files say which kinds they hold no object of, unless they could not be read or are dumps of a whole cluster."""

from pathlib import Path

from liqo_connectivity.facts import read
from tests.support.dump_lines import whole
from tests.support.manifest_files import NODE, POD, read_text


def test_kinds_of_which_files_hold_no_object(tmp_path: Path) -> None:
    reading = read_text(tmp_path, POD + "---\n" + NODE)
    assert {"Namespace", "Network", "PeeringConnectivity"} <= set(reading.absent)
    assert not {"Pod", "Node"} & set(reading.absent)
    broken = read_text(tmp_path, POD + "---\na: [")
    assert broken.absent == ()
    malformed = read_text(tmp_path, POD.replace("10.0.0.1", "x"))
    assert "Pod" not in malformed.absent


def test_what_a_dump_holds_nothing_of_the_cluster_had_none_of(tmp_path: Path) -> None:
    header = '{"format":"liqo-connectivity-facts","version":2}\n'
    assert read_text(tmp_path, "".join(whole([header])), "whole.jsonl").absent == ()
    source = (
        '"source":{"kind":"Input","namespace":"","name":"files","uid":"","resourceVersion":"","field":"","value":"K"}'
    )
    rows = [f'{{"relation":"kind_absent","row":["{kind}"],{source.replace("K", kind)}}}\n' for kind in ("Node", "Pod")]
    dump = read_text(tmp_path, "".join(whole([header, *rows])), "partial.jsonl")
    assert dump.absent == ("Node", "Pod")
    assert dump.base.rows("kind_absent") == set()
    (tmp_path / "whole.jsonl").unlink()
    read_text(tmp_path, NODE, "nodes.yaml")
    assert read([tmp_path]).absent == ("Pod",)
