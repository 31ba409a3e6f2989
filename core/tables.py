"""All tables, by name, in the order in which the documents show them."""

from freehold.core import (
    borrowing,
    copy,
    dependencies,
    desk,
    directory,
    execution,
    handover,
    holding,
    inquest,
    inquiry,
    leasing,
    ledger,
    lineage,
    link,
    membership,
    office,
    ownership,
    promotion,
    request,
    resolution,
    room,
    running,
    strides,
    transfer,
    witness,
)
from freehold.core.machine import Table

assert borrowing and dependencies and directory and holding and lineage and transfer  # rows of the tables below
TABLES: tuple[Table, ...] = (
    ownership.TABLE,
    promotion.TABLE,
    resolution.TABLE,
    request.TABLE,
    execution.TABLE,
    running.TABLE,
    desk.TABLE,
    copy.TABLE,
    room.TABLE,
    leasing.TABLE,
    office.TABLE,
    membership.TABLE,
    inquest.TABLE,
    witness.TABLE,
    inquiry.TABLE,
    ledger.TABLE,
    handover.TABLE,
    link.TABLE,
)


def compile_tables(*, checked: bool) -> None:
    """Compile every table; ``checked`` tests after each step that it ended where its row may end.

    Parties that are made from now on compare their strides with the tables, or do not.
    """
    strides.checking = checked
    for table in TABLES:
        table.compile(checked=checked)


compile_tables(checked=False)
