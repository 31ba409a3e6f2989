"""The study of one resolution: its messages are those of the protocol, in their order."""

from __future__ import annotations

import pytest

from freehold.simulator.studies.resolution import STUDY, run
from freehold.simulator.studies.study import Rows

VALUES = STUDY.axes["value"]


@pytest.fixture(scope="module")
def rows() -> Rows:
    return Rows([{"value": value, "seed": 0, **row} for value in VALUES for row in run({"value": value}, 0)])


def test_a_small_value_comes_in_the_reply(rows: Rows) -> None:
    """Its reader introduces itself and asks; the owner asks back and answers; at the end the reader lets go."""
    sent = [(row["message"], row["from"]) for row in rows.where(value="small, in the reply")]
    assert sent == [
        ("BorrowNotice", "reader"),
        ("LocateQuery", "reader"),
        ("ReleaseQuery", "owner"),
        ("LocateReply", "owner"),
        ("ReleaseReply", "reader"),
    ]


def test_a_promoted_value_is_created_and_pulled(rows: Rows) -> None:
    sent = [row["message"] for row in rows.where(value="small, promoted")]
    wanted = ["BorrowNotice", "CreateQuery", "SealNotice", "LocateReply", "PullQuery", "ChunkReply", "ReleaseReply"]
    assert [message for message in sent if message in wanted] == wanted


@pytest.mark.parametrize("value", VALUES)
def test_nothing_comes_before_it_was_sent(rows: Rows, value: str) -> None:
    for row in rows.where(value=value):
        assert 0 < row["left"] < row["came"] < row["done"]


def test_the_sentence_and_the_figures_say_what_the_rows_say(rows: Rows) -> None:
    assert "small, in the reply: 70.32 us, 4 messages until the value is there, 5 in all" in STUDY.conclude(rows)
    for (name, draw), value in zip(STUDY.figures.items(), VALUES, strict=True):
        (axes,) = draw(rows).axes
        named = [text for text in axes.texts if text.get_text()]
        assert len(named) == len(rows.where(value=value)), name
