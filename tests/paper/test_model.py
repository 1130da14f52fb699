from __future__ import annotations

from erc_bench.paper.model import value_text
from erc_bench.protocols.rows import Score


def test_values_as_text() -> None:
    assert value_text(None, "percent") == "–"
    assert value_text("80 MiB", "text") == "80 MiB"
    assert value_text(Score(43.367, 40.1, 46.519, 1.0), "percent") == "43.37 [40.10, 46.52]"
    assert value_text(Score(50.0, deviation=0.649), "percent") == "50.00 ± 0.65"
    assert value_text(Score(50.0, deviation=0.649, apart=(0.5, 0.25)), "percent") == "50.00 ± 0.50 / 0.25"
    assert value_text(Score(-0.0071), "mcc") == "−0.007"
    assert value_text(Score(0.594), "share") == "0.594"
    assert value_text(Score(1090.71), "count") == "1,091"
