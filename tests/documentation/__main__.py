"""Prints the number of code blocks of each document by their treatment: ``python -m tests.documentation``."""

from collections import Counter

from tests.documentation.documents import CHECKOUT, PAGES, TREATMENTS, counts


def main() -> None:
    print(f"{'':44}", *(f"{treatment:>9}" for treatment in TREATMENTS))
    for page in PAGES:
        print_line(str(page.relative_to(CHECKOUT)), counts([page]))
    print_line(f"{len(PAGES)} documents", counts(PAGES))


def print_line(name: str, numbers: Counter[str]) -> None:
    print(f"{name:44}", *(f"{numbers[treatment]:9}" for treatment in TREATMENTS))


if __name__ == "__main__":
    main()
