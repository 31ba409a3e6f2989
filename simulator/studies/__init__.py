"""Studies: grids of simulations, each of which ends in figures and one sentence."""

from freehold.simulator.studies import (
    borrow,
    borrower_death,
    broadcast,
    chunks,
    graphs,
    hot_owner,
    latency,
    load,
    location,
    published,
    recovery,
    resolution,
    store,
    threshold,
)

STUDIES = {
    study.name: study
    for study in (
        resolution.STUDY,
        latency.STUDY,
        hot_owner.STUDY,
        broadcast.STUDY,
        chunks.STUDY,
        load.STUDY,
        location.STUDY,
        store.STUDY,
        graphs.STUDY,
        threshold.STUDY,
        borrow.STUDY,
        borrower_death.STUDY,
        recovery.STUDY,
        published.STUDY,
    )
}
