"""Muster beside nginx, r-nacos and etcd, alternating in one run."""

import argparse
import datetime
import json
import os
import platform
import sys

from support.server import ROOT

from . import loadgen
from .clusters import CLUSTERS
from .rates import RATES, measure
from .resources import RESOURCES, Row, raise_file_limit

OUTPUT = ROOT / "build/bench"
FULL = {"rounds": 3, "seconds": 5.0, "many": 100_000, "publishes": 5_000_000, "idle": 20_000,
        "fanout-1000": 1000, "fanout-5000": 5000, "fail-over-minutes": 7,
        "join-mib": 1024}
QUICK = {"rounds": 1, "seconds": 1.0, "many": 10_000, "publishes": 50_000, "idle": 1000,
         "fanout-1000": 200, "fanout-5000": 500, "fail-over-minutes": 0,
         "join-mib": 16}
VERDICTS = {True: "pass", False: "MISS", None: ""}


def show(row):
    limit = ""
    if row.limit is not None:
        limit = ("at least " if row.at_least else "at most ") + f"{row.limit:g}"
    print(f"{row.name:38} {row.value:>12,.2f} {row.unit:12} {limit:14} "
          f"{VERDICTS[row.met]:5} {row.note}", flush=True)


def rate_rows(rate):
    for name, figure in rate.figures.items():
        yield Row(f"{rate.name} {name}", figure["rps"], "/s",
                  note=f"p50 {figure['p50_us'] / 1000:.2f} ms, p99 {figure['p99_us'] / 1000:.2f} ms"
                       + (f", {figure['errors']} ERRORS: {figure.get('last_error')}"
                          if figure["errors"] else ""))
    for name, smallest in rate.targets.items():
        if name in rate.figures:
            ratio = rate.figures["muster"]["rps"] / max(rate.figures[name]["rps"], 1e-9)
            yield Row(f"{rate.name} / {name}", ratio, "x", smallest, at_least=True)


def parse(arguments):
    of_one = [rate.name for rate in RATES if rate.nodes == 1] + list(RESOURCES)
    of_many = [rate.name for rate in RATES if rate.nodes > 1] + list(CLUSTERS)
    names = of_one + of_many
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORK", default=[],
                        help="may be repeated or a comma list; there are: " + ", ".join(of_one))
    parser.add_argument("--cluster", action="store_true",
                        help="the works of clusters instead of those of one node: "
                             + ", ".join(of_many))
    parser.add_argument("--rounds", type=int, help="default 3; medians are shown")
    parser.add_argument("--seconds", type=float, help="of each round, default 5")
    parser.add_argument("--quick", action="store_true",
                        help="one short round and small numbers: shows that it works")
    options = parser.parse_args(arguments)
    only = [name for each in options.only for name in each.split(",")]
    for name in only:
        if name not in names:
            parser.error(f"unknown work {name!r}; there are: {', '.join(names)}")
    sizes = dict(QUICK if options.quick else FULL)
    for key in ("rounds", "seconds"):
        if getattr(options, key):
            sizes[key] = getattr(options, key)
    return only or (of_many if options.cluster else of_one), sizes


def main(arguments):
    wanted, sizes = parse(arguments)
    sizes["files"] = raise_file_limit()
    loadgen.build()
    rows, failures = [], []

    def collect(name, produce):
        try:
            for row in produce():
                rows.append(row)
                show(row)
        except (AssertionError, RuntimeError, OSError) as problem:
            failures.append(f"{name}: {problem}")
            print(f"{name:38} could not be measured: {problem}", flush=True)

    for rate in RATES:
        if rate.name in wanted:
            def produce(rate=rate):
                measure(rate, sizes["rounds"], sizes["seconds"])
                return rate_rows(rate)
            collect(rate.name, produce)
    for name, function in (RESOURCES | CLUSTERS).items():
        if name in wanted:
            collect(name, lambda: function(sizes, name))
    return report(rows, failures, sizes)


def report(rows, failures, sizes):
    OUTPUT.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    path = OUTPUT / f"{now}.json"
    path.write_text(json.dumps({
        "time": now, "cores": os.cpu_count(), "kernel": platform.release(), "sizes": sizes,
        "figures": [row.as_json() for row in rows],
        "rates": {rate.name: rate.figures for rate in RATES if rate.figures},
        "failures": failures}, indent=1))
    missed = sum(row.met is False for row in rows)
    met = sum(row.met is True for row in rows)
    print(f"{met} targets met, {missed} missed, {len(failures)} not measured; "
          f"{path.relative_to(ROOT)}")
    return 1 if missed or failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
