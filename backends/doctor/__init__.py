"""``freehold doctor``: does this machine give a cluster what it needs, and what to do where it does not.

`world.py` reads what the machine is like, `checks.py` judges it, `trial.py` starts a real cluster, and `command.py`
shows it all.
"""
