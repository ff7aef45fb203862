"""python -m bench [--case NAME ...] [--rounds N] [--quick] [--profile] [--output FOLDER] [--list]

Measures on the databases at DATABASE_URL and HISTORY_DATABASE_URL (default: PostgreSQL on 127.0.0.1), in databases
that it makes and drops. A whole run in full replaces the record in bench/results; any other needs --output to be kept.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import django

RESULTS = Path(__file__).resolve().parent / "results"


def main(arguments: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
    django.setup()
    from bench.cases import CASES

    options = parser([case.name for case in CASES]).parse_args(arguments)
    if options.list:
        print("\n".join(f"{case.name:16}{case.title}" for case in CASES))
        return 0
    chosen = [case for case in CASES if not options.case or case.name in options.case]
    whole = not (options.case or options.quick or options.rounds or options.profile)
    return run(chosen, options, options.output or (RESULTS if whole else None))


def parser(names: list[str]) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n\n")[2])
    found.add_argument("--case", action="append", choices=names, help="measure this case alone; may be repeated")
    found.add_argument("--rounds", type=int, help="rounds of each case that is measured in rounds")
    found.add_argument("--quick", action="store_true", help="few rounds and small tables: shows that it works")
    found.add_argument("--profile", action="store_true", help="also print where the first contender spends its time")
    found.add_argument("--output", type=Path, help="folder for the report and the record")
    found.add_argument("--list", action="store_true", help="list the cases")
    return found


def run(chosen: list[Any], options: argparse.Namespace, output: Path | None) -> int:
    from bench import databases, machine, report, results
    from bench.case import Measurement, Options

    vendor = databases.vendor()
    measurements: list[Measurement] = []
    with databases.created():
        about = machine.described()
        for case in chosen:
            if vendor in case.left_out:
                print(f"{case.title}: left out, {case.left_out[vendor]}", flush=True)
                continue
            began = time.monotonic()
            print(f"{case.title} ...", flush=True)
            for measurement in case.measure(Options(options.quick, options.rounds, options.profile)):
                measurements.append(measurement)
                print("\n".join(report.ratio_lines(measurement, case.name)), flush=True)
            databases.clear()
            print(f"  {time.monotonic() - began:.0f} s", flush=True)
    text = report.markdown(about, chosen, measurements)
    if output:
        results.write(output, databases.product(), text, results.record(about, measurements))
    else:
        print("\n" + text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
