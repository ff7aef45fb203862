"""The people of the demo: names as a class of thirty or more would have them."""

from collections.abc import Iterator
from typing import NamedTuple

NAMES = [
    "Amara Okafor",
    "Mateo Herrera",
    "Yuki Tanaka",
    "Ingrid Lindqvist",
    "Tariq Rahman",
    "Leila Haddad",
    "Oskar Nyström",
    "Priya Sharma",
    "Thandiwe Dlamini",
    "Callum MacLeod",
    "Mei Chen",
    "Rafael Moreira",
    "Zofia Kowalska",
    "Kwame Mensah",
    "Aoife Byrne",
    "Hassan Karimi",
    "Noor Siddiqui",
    "Elias Weber",
    "Camila Fuentes",
    "Dmitri Volkov",
    "Hana Novák",
    "Samuel Adeyemi",
    "Ngozi Eze",
    "Lucía Ortega",
    "Arjun Patel",
    "Freya Halvorsen",
    "Malik Diallo",
    "Beatriz Carvalho",
    "Tomasz Zieliński",
    "Wren Ellis",
]


class Person(NamedTuple):
    """A learner to be."""

    given: str
    family: str
    username: str


def people(count: int) -> Iterator[Person]:
    """Yield ``count`` different people, always the same ones in the same order."""
    for number in range(count):
        round_, index = divmod(number, len(NAMES))
        given, family = NAMES[index].split()
        # People of one name are told apart by a number, as on a real site.
        again = round_ + 1 if round_ else ""
        yield Person(given, family, f"{given}.{family}{again}".lower())
