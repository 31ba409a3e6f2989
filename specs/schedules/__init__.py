"""Schedules: what chance seldom meets, brought about by hand in a cluster without drivers.

A file holds those of one subject.  ``freehold.specs.schedules.stage`` says how they are declared; ``schedules()`` there
returns them all.
"""
