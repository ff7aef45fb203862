"""The commands: history_health, deliver_history, verify_history, seal_history, recover_state, restore_history
and learner_history.

Each module imports the function that does its work from history; no command imports another one, so the order is free.
"""
