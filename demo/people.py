"""The people of the demo: names for a class of thirty or more."""

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
    """The name of a future account."""

    given: str
    family: str
    username: str

    @property
    def email(self) -> str:
        return f"{self.username}@school.example"


def people(count: int) -> Iterator[Person]:
    """Yield ``count`` different people, always the same in the same order."""
    for number in range(count):
        round_, index = divmod(number, len(NAMES))
        given, family = NAMES[index].split()
        # A number distinguishes people of the same name, as on a real site.
        again = round_ + 1 if round_ else ""
        yield Person(given, family, f"{given}.{family}{again}".lower())


STAFF = Person("Robin", "Teacher", "staff")
NEWCOMER = Person("Noa", "Rivera", "newcomer")
INSTRUCTOR = Person("Ines", "Duarte", "ines.duarte")
JOBS = Person("Grading", "Jobs", "grading-jobs")
PASSWORD = "demo"  # noqa: S105 - published on purpose; load_demo refuses to run outside DEBUG
