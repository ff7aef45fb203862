"""Case 4: the history database did not answer while learners worked, so their entries are pending."""

import logging
from datetime import timedelta
from unittest import mock

from django.utils import timezone

from demo.cases.term import Term
from history.testing import history_unavailable

LEARNERS = 4
BEGAN = timedelta(minutes=50)
"""before the demo is loaded"""
APART = timedelta(minutes=4)


def work_during_an_outage(term: Term) -> None:
    """Let the first learners who stopped early answer the problems while the history cannot be written.

    Their entries stay pending until ``manage.py deliver_history`` runs.
    """
    late = [learner for learner in map(term.learner, term.learners) if learner.stops_early][:LEARNERS]
    moment = timezone.now() - BEGAN
    # The log would report the outage as an error of this command.
    with history_unavailable(), mock.patch.object(logging.getLogger("history"), "disabled", new=True):
        for learner in late:
            moment += APART
            learner.catch_up(moment)
