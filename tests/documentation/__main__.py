"""Prints the number of code blocks of each document by their treatment: ``python -m tests.documentation``."""

from collections import Counter

from tests.documentation.documents import CHECKOUT, PAGES, blocks

TREATMENTS = ("run", "elsewhere", "parsed", "shown", "marked")


def main() -> None:
    total: Counter[str] = Counter()
    print(f"{'':44}", *(f"{treatment:>9}" for treatment in TREATMENTS))
    for page in PAGES:
        counts = Counter(block.treatment for block in blocks(page))
        total += counts
        print_line(str(page.relative_to(CHECKOUT)), counts)
    print_line(f"{len(PAGES)} documents", total)


def print_line(name: str, counts: Counter[str]) -> None:
    print(f"{name:44}", *(f"{counts[treatment]:9}" for treatment in TREATMENTS))


if __name__ == "__main__":
    main()
