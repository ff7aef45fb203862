"""The base classes of the exceptions, and that exceptions can be pickled."""

import pickle

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.test import SimpleTestCase
from xblock.exceptions import InvalidScopeError, KeyValueMultiSaveError

from kvstore import api, exceptions
from kvstore.api import KVStoreError

EXAMPLES = {
    api.AnotherLearner("text"): (KVStoreError, PermissionDenied, AssertionError),
    api.CorruptState("table", [1, 2], 30, "no JSON"): (KVStoreError, ValueError),
    api.HistoryNotInstalled("text"): (KVStoreError, LookupError),
    api.ReadOnlyState("text"): (KVStoreError, InvalidScopeError),
    api.SaveFailed(["field"], "refused"): (KeyValueMultiSaveError,),
    api.StateMoved(3, 4): (KVStoreError, ValueError),
    api.UnknownLearner("text"): (KVStoreError, LookupError),
    api.UnrecordedWrite("text"): (KVStoreError, TypeError),
    api.UnstorableScore("text"): (KVStoreError, ValueError),
    api.UnstorableValue("text"): (KVStoreError, ValueError),
    api.UnsupportedScope("settings", ["user_state"]): (KVStoreError, InvalidScopeError, ValueError),
    api.UnusableContext("text"): (KVStoreError, ValueError),
    api.UnusableKey("text"): (KVStoreError, ValueError),
    api.WriteConflict("text"): (OperationalError,),
    KVStoreError("text"): (Exception,),
}


class Errors(SimpleTestCase):
    def test_every_error_is_public_and_has_an_example_here(self):
        own = {
            value
            for value in vars(exceptions).values()
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == exceptions.__name__
        }
        self.assertEqual({type(error) for error in EXAMPLES}, own)
        self.assertEqual({getattr(api, error.__name__, None) for error in own}, own)

    def test_callers_that_catch_older_errors_catch_these(self):
        for error, bases in EXAMPLES.items():
            for base in bases:
                with self.subTest(error=type(error).__name__, base=base.__name__):
                    self.assertIsInstance(error, base)

    def test_every_error_has_a_message(self):
        for error in EXAMPLES:
            with self.subTest(error=type(error).__name__):
                self.assertTrue(str(error))

    def test_every_error_can_be_sent_to_another_process(self):
        for error in EXAMPLES:
            with self.subTest(error=type(error).__name__):
                received = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
                self.assertEqual((type(received), str(received)), (type(error), str(error)))
                self.assertEqual(vars(received), vars(error))
