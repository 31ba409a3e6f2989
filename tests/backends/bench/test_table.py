"""What a report looks like: units, ratios, targets that follow a limit, contenders without a figure."""

import json

import pytest

from freehold.backends.bench import table
from freehold.backends.bench.rows import ROWS
from freehold.backends.bench.run import Report, Settings
from freehold.backends.bench.spread import Figures

FACTS = {"machine": "a machine", "python": "CPython 3.11"}


def report(**rows: dict[str, Figures]) -> Report:
    named = {name.replace("_", "-"): found for name, found in rows.items()}
    return Report(FACTS, Settings(), ["freehold", "Ray", "Pool"], named)


def cell(report: Report, head: str) -> str:
    (sheet,) = table.sheets(report)
    return sheet.rows[0][sheet.heads.index(head)]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (25_123, "/s", "25.1 k/s"),
        (999_600, "/s", "1.00 M/s"),
        (2_950_000, "/s", "2.95 M/s"),
        (999.4, "/s", "999 /s"),
        (10.84, "/s", "10.8 /s"),
        (11.62, "GiB/s", "11.6 GiB/s"),
        (3.614, "us", "3.61 us"),
        (79_579, "us", "79.6 ms"),
        (0.2134, "s", "213 ms"),
        (2.5, "s", "2.50 s"),
        (640, "B", "640 B"),
        (1523.4, "B", "1,523 B"),
        (0, "B", "0 B"),
        (None, "s", "-"),
    ],
)
def test_a_figure_in_its_unit(value, unit, text) -> None:
    assert table.amount(value, unit) == text


def test_a_row_with_a_target_peers_and_a_limit() -> None:
    found = {
        "freehold": Figures([24_000.0, 25_000.0, 30_000.0], cold=10.0),
        "limit: socket echo, blocking": Figures([20_000.0]),
        "Ray": Figures([500.0]),
        "Pool": Figures([10_000.0]),
    }
    shown = report(round_trip=found)
    assert cell(shown, "freehold") == "25.0 k/s ±12%"
    assert cell(shown, "cold") == "10.0 /s"
    assert cell(shown, "of target") == "1.00 x"
    assert cell(shown, "raw limits") == "socket echo, blocking 20.0 k/s"
    assert cell(shown, "of the best peer") == "2.50 x"


def test_the_best_of_peers_is_the_lowest_time() -> None:
    shown = report(get_large={"freehold": Figures([10.0]), "Ray": Figures([140.0]), "Pool": Figures([20.0])})
    assert cell(shown, "of the best peer") == "2.00 x"
    assert cell(shown, "of target") == "2.00 x"


def test_a_peer_that_cannot_and_a_peer_that_failed() -> None:
    found = {"freehold": Figures([10.0]), "Ray": Figures(missing="it fell over"), "Pool": Figures(missing="-")}
    shown = report(get_large=found)
    assert cell(shown, "Ray") == cell(shown, "Pool") == cell(shown, "of the best peer") == "-"
    assert "Ray has no figure for get-large: it fell over" in table.notes(shown)
    assert not any("Pool has no figure" in note for note in table.notes(shown))
    assert not table.failed(shown)


def test_a_failure_of_our_own_is_a_failure() -> None:
    assert table.failed(report(get_large={"freehold": Figures(missing="it fell over")}))
    assert table.failed(report(defaults_in_flight={"FREEHOLD_CHECK=step": Figures(missing="it fell over")}))


def test_a_target_that_is_a_part_of_a_limit_of_the_same_run() -> None:
    found = {"freehold": Figures([8.0]), "limit: memcpy": Figures([5.0])}
    assert cell(report(put_warm=found), "target") == "4.00 GiB/s"
    assert cell(report(put_warm=found), "of target") == "2.00 x"
    assert cell(report(put_warm={"freehold": Figures([8.0])}), "target") == "9.30 GiB/s"


def test_what_the_defaults_cost_is_a_table_of_its_own() -> None:
    usual, slow = Figures([1000.0]), Figures([500.0])
    shown = report(round_trip={"freehold": usual}, defaults_round_trip={"freehold": usual, "FREEHOLD_CHECK=step": slow})
    _, second = table.sheets(shown)
    assert second.heads[-1] == "FREEHOLD_CHECK=step"
    assert second.rows == [["task round trip", "1.00 k/s", "-", "-", "500 /s, 0.500 x the defaults"]]


def test_it_is_said_who_did_fewer_of_a_million() -> None:
    assert "Of a million objects or tasks Ray one in 50, Pool one in 10: all would take too long." in table.notes(
        report()
    )


def test_markdown_has_as_many_cells_in_every_line() -> None:
    text = table.as_markdown(report(round_trip={"freehold": Figures([1.0])}, init={"freehold": Figures([1.0])}))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 4 and len({line.count("|") for line in lines}) == 1
    assert "- machine: a machine" in text


def test_data_holds_every_window() -> None:
    data = json.loads(json.dumps(table.as_data(report(init={"freehold": Figures([1.0, 2.0], cold=3.0)}))))
    assert data["rows"]["init"]["unit"] == "s" and data["rows"]["init"]["target"] == 0.3
    figures = data["rows"]["init"]["figures"]["freehold"]
    assert figures["windows"] == [1, 2] and figures["median"] == 1.5 and figures["cold"] == 3


def test_every_row_is_listed() -> None:
    lines = table.list_of_rows(ROWS).splitlines()
    assert len(lines) == len(ROWS) and all(row.name in line for row, line in zip(ROWS, lines, strict=True))
