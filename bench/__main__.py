"""python -m bench [--case NAME ...] [--blocks N ...] [--states short|long] [--rounds N] [--quick] [--profile]
[--driver NAME] [--all] [--output FOLDER] [--list]

Creates and drops its own databases on the servers of DATABASE_URL and HISTORY_DATABASE_URL (default: PostgreSQL on
127.0.0.1). On PostgreSQL each installed driver runs in a separate process. Without --case the cases with an asterisk
in --list run. The exit status is 1 if a target is missed, and always 0 with --quick or --profile.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import django

from bench import drivers


def main(arguments: list[str]) -> int:
    driver, rest = driver_parser().parse_known_args(arguments)
    if driver.driver:
        os.environ[drivers.VARIABLE] = driver.driver
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
    django.setup()
    from bench.cases import CASES
    from bench.databases import vendor

    options = parser([case.name for case in CASES]).parse_args(rest)
    if options.list:
        print("\n".join(f"{case.name:16}{case.title}{' *' * case.by_default}" for case in CASES))
        return 0
    if vendor() == "postgresql" and drivers.VARIABLE not in os.environ:
        return with_each_driver(arguments)
    if options.profile and not options.case:
        options.case, options.blocks = ["write", "prefetch"], options.blocks or [100]
    chosen = [
        case for case in CASES if options.all or case.name in options.case or case.by_default > bool(options.case)
    ]
    return run(chosen, options)


def with_each_driver(arguments: list[str]) -> int:
    """Run the benchmark in a process for each driver, and return the highest exit status.

    With --all only the first driver runs every case; the others run the default cases.
    """
    statuses = []
    for name in drivers.installed():
        command = [sys.executable, "-m", "bench", "--driver", name, *arguments]
        statuses.append(subprocess.run(command, check=False).returncode)
        arguments = [argument for argument in arguments if argument != "--all"]
    return max(statuses)


def driver_parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(add_help=False)
    found.add_argument("--driver", choices=drivers.DRIVERS, help="measure only with this PostgreSQL driver")
    return found


def parser(names: list[str]) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__.partition("\n\n")[2], parents=[driver_parser()]
    )
    found.add_argument("--case", nargs="+", default=[], choices=names, help="measure only these cases")
    found.add_argument("--all", action="store_true", help="measure every case; takes ten minutes more")
    found.add_argument("--blocks", nargs="+", type=int, default=[], help="measure only these numbers of blocks")
    found.add_argument("--states", nargs="+", default=[], choices=["short", "long"], help="measure only these states")
    found.add_argument("--rounds", type=int, help="number of measured rounds of each case")
    found.add_argument("--quick", action="store_true", help="few rounds and small tables; checks that it runs")
    found.add_argument("--profile", action="store_true", help="also print a profile of the store")
    found.add_argument("--output", type=Path, help="write the report and the record to this folder")
    found.add_argument("--list", action="store_true", help="list the cases")
    return found


def run(chosen: list[Any], options: argparse.Namespace) -> int:
    from bench import databases, machine, report, results
    from bench.case import Measurement, Options

    vendor = databases.vendor()
    measurements: list[Measurement] = []
    selection = Options(options.quick, options.rounds, options.profile, options.blocks, options.states)
    with databases.created():
        about = machine.described()
        print(f"{about['database']} over {about['driver']}", flush=True)
        for case in chosen:
            if vendor in case.left_out:
                print(f"{case.title}: left out, {case.left_out[vendor]}", flush=True)
                continue
            began = time.monotonic()
            print(f"{case.title} ...", flush=True)
            for measurement in case.measure(selection):
                measurements.append(measurement)
                print("\n".join(report.ratio_lines(measurement, case.name)), flush=True)
            databases.clear()
            print(f"  {time.monotonic() - began:.0f} s", flush=True)
    if options.output:
        text = report.markdown(about, chosen, measurements)
        results.write(options.output, databases.label(), text, results.record(about, measurements))
    missed = [line for measurement in measurements for line in measurement.missed()]
    print("\n".join(["Targets missed:", *missed] if missed else ["All targets are met."]), flush=True)
    return int(bool(missed) and not (options.quick or options.profile))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
