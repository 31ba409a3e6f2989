"""What pyproject.toml cannot say: the packages found in the folders.  Only pip and build read it."""

from setuptools import find_packages, setup

FOLDERS = ("core", "backends", "simulator", "specs")  # the folder X is the package freehold.X

packages = ["freehold"]
for folder in FOLDERS:
    packages += [f"freehold.{folder}", *(f"freehold.{folder}.{name}" for name in find_packages(folder))]

setup(packages=packages)
