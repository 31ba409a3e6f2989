"""A whole cluster without drivers, its users, and chance: one behaviour after the other, of any length."""
