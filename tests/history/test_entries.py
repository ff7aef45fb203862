"""A version has the columns of both tables of entries; a pending entry has one more."""

from django.test import SimpleTestCase

from history.models import PendingHistory, StudentModuleHistory
from kvstore.signals import StateVersion


class Columns(SimpleTestCase):
    def test_they_match_the_columns_of_both_models(self):
        for model, others in ((StudentModuleHistory, []), (PendingHistory, ["refused"])):
            columns = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
            self.assertEqual([*StateVersion._fields, *others], columns)
