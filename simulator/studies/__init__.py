"""Studies: grids of simulations, each of which ends in figures and one sentence."""

from freehold.simulator.studies import borrow, borrower_death, broadcast, hot_owner, latency, published, threshold

STUDIES = {
    study.name: study
    for study in (
        latency.STUDY,
        hot_owner.STUDY,
        broadcast.STUDY,
        threshold.STUDY,
        borrow.STUDY,
        borrower_death.STUDY,
        published.STUDY,
    )
}
