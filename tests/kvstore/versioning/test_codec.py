"""Values that fields may have are read back unchanged, through the codec and through the database."""

import datetime
import decimal
import enum
import json
import math
from collections import OrderedDict, namedtuple
from types import MappingProxyType

from django.test import SimpleTestCase, TestCase
from django.utils.translation import gettext_lazy
from xblock.fields import Scope

from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache, UnstorableValue
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from kvstore.versioning import codec
from tests.kvstore.cache.blocks import COURSE, NAMED_SCOPES, block, key_for, usage

Score = namedtuple("Score", ["raw_earned", "raw_possible"])


class Word(str):
    """A subclass of str; its text form differs from its characters."""

    __slots__ = ()

    def __str__(self):
        return "not the word"


class Count(int):
    pass


class Share(float):
    pass


class Level(enum.IntEnum):
    HIGH = 3


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def read_back(value):
    """Return the value as it is after a way through the stored text."""
    stored = codec.storable(value, "field 'x'")
    loaded = codec.loads(codec.dumps(stored))
    assert json.dumps(stored) == json.dumps(loaded), "the cache and the database would disagree"
    return loaded


class StorableValues(SimpleTestCase):
    def test_values_read_back_as_simplejson_would_have_stored_them(self):
        for value, expected in (
            (Score(1, 2), {"raw_earned": 1, "raw_possible": 2}),
            ([Score(1, Score(2, 3))], [{"raw_earned": 1, "raw_possible": {"raw_earned": 2, "raw_possible": 3}}]),
            ((1, (2, "three")), [1, [2, "three"]]),
            ({2: "a", 2.5: "b", None: "c", True: "d"}, {"2": "a", "2.5": "b", "null": "c", "true": "d"}),
            ({1: "one"}, {"1": "one"}),
            (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
            (MappingProxyType({"a": (1,)}), {"a": [1]}),
            ([True, 1, 1.0, None, "", {}, []], [True, 1, 1.0, None, "", {}, []]),
            (-0.0, -0.0),
            (1e308, 1e308),
        ):
            with self.subTest(value=value):
                found = read_back(value)
                self.assertEqual(found, expected)
                self.assertEqual(json.dumps(found), json.dumps(expected))

    def test_true_is_not_one_and_one_is_not_one_point_nought(self):
        self.assertEqual([type(item) for item in read_back([True, 1, 1.0])], [bool, int, float])

    def test_the_order_of_an_object_is_kept(self):
        self.assertEqual(list(read_back({"z": 1, "a": 2, "m": 3})), ["z", "a", "m"])

    def test_subclasses_of_plain_types_are_stored_as_the_plain_value(self):
        value = {Word("key"): [Word("word"), Count(7), Share(0.5), Level.HIGH]}
        stored = codec.storable(value, "field 'x'")
        self.assertEqual(stored, {"key": ["word", 7, 0.5, 3]})
        self.assertEqual([type(item) for item in stored["key"]], [str, int, float, int])
        self.assertEqual({type(key) for key in stored}, {str})

    def test_the_text_is_ascii_whatever_the_strings(self):
        for text in ("\0", "\ud800", "\U0001f600", "ünï", '"\\/', "\u2028"):
            with self.subTest(text=text):
                dumped = codec.dumps(codec.storable({text: text}, "field 'x'"))
                self.assertTrue(dumped.isascii() and dumped.isprintable())
                self.assertEqual(codec.loads(dumped), {text: text})

    def test_the_largest_integer_and_the_deepest_nesting_still_load(self):
        for value in (10**4300 - 1, -(10**4300) + 1, nested(codec.MAX_DEPTH - 1)):
            self.assertEqual(read_back(value), value)

    def test_the_stored_value_shares_nothing_with_the_given_one(self):
        value = {"list": [1], "object": {"inner": [2]}}
        stored = codec.storable(value, "field 'x'")
        value["list"].append("changed")
        value["object"]["inner"].append("changed")
        self.assertEqual(stored, {"list": [1], "object": {"inner": [2]}})


class UnstorableValues(SimpleTestCase):
    def test_values_that_json_cannot_hold_are_refused_by_name(self):
        circular = []
        circular.append(circular)
        for value in (
            math.nan,
            math.inf,
            -math.inf,
            Share("nan"),
            {1, 2},
            frozenset([1]),
            b"bytes",
            bytearray(b"bytes"),
            datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
            datetime.timedelta(1),
            decimal.Decimal("1.5"),
            usage("block"),
            gettext_lazy("Answer"),
            1j,
            object(),
            range(3),
            (item for item in [1]),
            10**5000,
            -(10**4300),
            nested(codec.MAX_DEPTH + 1),
            circular,
            {1: "int", "1": "str"},
            {True: "bool", "true": "str"},
            {None: 1, "null": 2},
            {usage("block"): 1},
            {(1, 2): 3},
            {b"key": 1},
            {math.nan: 1},
            {10**5000: 1},
            {gettext_lazy("Answer"): 1},
        ):
            for where, wrapped in (("bare", value), ("inside", {"list": [Score(1, value)]})):
                with self.subTest(type=type(value), where=where), self.assertRaises(UnstorableValue) as caught:
                    codec.storable(wrapped, "field 'x' of the block")
                self.assertIn("field 'x' of the block", str(caught.exception))

    def test_two_keys_that_are_one_in_json_are_named_as_the_reason(self):
        with self.assertRaisesMessage(UnstorableValue, "two keys that are one in JSON"):
            codec.storable({1: "int", "1": "str"}, "field 'x'")


class StoredText(SimpleTestCase):
    def test_text_that_is_not_json_is_refused(self):
        for text in ("", "{", "nonsense", '{"a": NaN}', "[Infinity]", "[-Infinity]", "[" * 100_000, "9" * 5000, '"\0"'):
            with self.subTest(text=text[:20]), self.assertRaises(ValueError):
                codec.loads(text)

    def test_a_number_beyond_the_range_of_floats_does_not_become_infinity(self):
        for text in ("1e999", '{"a": [-1e400]}'):
            with self.subTest(text=text), self.assertRaises(ValueError):
                codec.loads(text)

    def test_a_state_is_an_object_or_nothing(self):
        self.assertEqual(codec.loads_state(None), {})
        self.assertEqual(codec.loads_state('{"a": [1]}'), {"a": [1]})
        for text in ("null", "[]", "1", '"text"', "true"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                codec.loads_state(text)


class ValuesInTheDatabase(TestCase):
    """Rolls back on both aliases: one connection writes and reads the values."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()

    def store(self):
        return DjangoKeyValueStore(FieldDataCache([block(scopes=NAMED_SCOPES)], COURSE, self.user))

    def test_every_kind_of_value_survives_a_way_through_the_database_in_every_scope(self):
        value = {
            "strings": ["\0", "\ud800", "a\udfff", "\U0001f600", "ünï", "e\u0301", "\r\n ", "'; --", "%s \\"],
            "numbers": [0, -0.0, 0.1, 1e-320, 1.7976931348623157e308, 2**64, 10**4300 - 1],
            "score": Score(1, 2.5),
            "\0\ud800": None,
        }
        expected = {**value, "score": {"raw_earned": 1, "raw_possible": 2.5}}
        for scope in NAMED_SCOPES:
            with self.subTest(scope=scope):
                key = key_for(scope, self.user.pk)
                writing = self.store()
                writing.set(key, value)
                self.assertEqual(json.dumps(self.store().get(key)), json.dumps(expected))
                self.assertEqual(json.dumps(writing.get(key)), json.dumps(expected))

    def test_a_large_value_is_stored_whole(self):
        key = key_for(Scope.user_state, self.user.pk)
        answer = "\U0001f600" * 100_000
        self.store().set(key, answer)
        self.assertEqual(self.store().get(key), answer)

    def test_an_unstorable_value_names_its_block_and_field_and_nothing_is_stored(self):
        for scope in NAMED_SCOPES:
            good, bad = (key_for(scope, self.user.pk, name) for name in ("good", "answer"))
            with self.subTest(scope=scope):
                with self.assertRaises(UnstorableValue) as caught:
                    self.store().set_many({good: 1, bad: {"choices": {"a", "b"}}})
                self.assertIn("'answer'", str(caught.exception))
                if scope in (Scope.user_state, Scope.user_state_summary):
                    self.assertIn(str(usage("block")), str(caught.exception))
                self.assertFalse(self.store().has(good))

    def test_the_client_names_block_and_field_and_stores_none_of_the_blocks(self):
        client = DjangoXBlockUserStateClient()
        states = {usage("good"): {"field": 1}, usage("bad"): {"answer": math.nan}}
        with self.assertRaises(UnstorableValue) as caught:
            client.set_many(self.user.username, states)
        self.assertIn("'answer'", str(caught.exception))
        self.assertIn(str(usage("bad")), str(caught.exception))
        self.assertFalse(StudentModule.objects.exists())
