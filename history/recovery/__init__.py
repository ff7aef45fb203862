"""Restores rows of `default` from the history after `default` was restored from a backup.

Imports reading and export, but never verification; read in this order: plan, candidates, results, recover.
"""
