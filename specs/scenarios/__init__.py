"""Scenarios: user programs, one situation each, that give the same result on every backend.

A file holds those of one subject.  ``freehold.specs.scenario`` says how they are declared; ``scenarios()`` there
returns them all.
"""
