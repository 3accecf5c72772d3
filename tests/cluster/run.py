#!/usr/bin/env python3
"""Real musterd processes as one cluster: what goes wrong, and what clients saw of it.

Clients record every request with its outcome; tools/history judges whether one store
that does one thing at a time could have answered so. See README.md.
"""

import argparse
import os
import random
import signal
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from cluster.network import (  # noqa: E402
    Loopback, enter_own_network, missing_for_namespaces)
from cluster.scenarios import SCENARIOS  # noqa: E402
from cluster.stage import Stage  # noqa: E402

LONG_MINUTES = 5


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    long = os.environ.get("MUSTER_TEST_LONG") == "1"
    parser.add_argument("--only", help="names of scenarios, with commas")
    parser.add_argument("--nodes", type=int, help="instead of those the scenario says")
    parser.add_argument("--minutes", type=float, default=LONG_MINUTES if long else 0,
                        help="each scenario goes on for so long; 0: its short form")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--list", action="store_true", help="the scenarios")
    return parser.parse_args()


def chosen(options):
    if not options.only:
        return SCENARIOS
    names = options.only.split(",")
    known = {each.name: each for each in SCENARIOS}
    if unknown := set(names) - set(known):
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}")
    return [known[name] for name in names]


def again(scenario, options):
    nodes = f"--nodes {options.nodes} " if options.nodes else ""
    return (f"tests/cluster/run.py --only {scenario.name} {nodes}"
            f"--minutes {options.minutes:g} --seed {options.seed}")


def program_of(scenario):
    musterd = Path(os.environ.get("MUSTERD", ROOT / "build/release/musterd"))
    return musterd.with_name("musterd-fault") if scenario.loses_power else musterd


def play(scenario, options):
    """Prints the board's line; AssertionError for what did not hold."""
    nodes = options.nodes or scenario.nodes
    network = scenario.network(nodes + scenario.spares)
    try:
        with Stage(scenario.name, network, f"{options.seed} {scenario.name}",
                   options.minutes, program_of(scenario), scenario.tls,
                   scenario.spares, scenario.load, scenario.knob) as stage:
            scenario.play(stage)
            figures, findings = stage.judge()
    finally:
        network.close()
    words = " ".join(f"{name}={value}" for name, value in figures.items())
    print(f"board: scenario={scenario.name} nodes={nodes} {words} "
          f'command="{again(scenario, options)}"', flush=True)
    assert not findings, "\n".join(findings)


def main():
    options = parse()
    # Whoever ends this also ends the nodes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    if options.list:
        for each in SCENARIOS:
            print(f"{each.name:12} {each.about}")
        return 0
    no_namespaces = missing_for_namespaces()
    if not no_namespaces:
        enter_own_network()
    passed = failed = skipped = 0
    for scenario in chosen(options):
        if scenario.network is not Loopback and no_namespaces:
            print(f"SKIP: {scenario.name}: {no_namespaces}")
            skipped += 1
            continue
        try:
            play(scenario, options)
            passed += 1
        except Exception as problem:  # the other scenarios are played all the same
            failed += 1
            print(f"FAIL: {scenario.name}: {problem}\n  again: {again(scenario, options)}")
            if not isinstance(problem, AssertionError):
                traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
