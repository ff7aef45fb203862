"""Repairs an incident: restores many blocks to the version before the changes that one cause made.

Read selection, search, rows, runs, merge, results, plan, then repair. ``criteria`` parses the texts that staff type.
"""
