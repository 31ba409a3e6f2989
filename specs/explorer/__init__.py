"""The search: everything that can happen in a small cluster, in every order."""
