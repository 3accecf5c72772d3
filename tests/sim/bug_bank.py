#!/usr/bin/env python3
"""Plants known bugs into the core and sees whether the simulation finds them.

Each tests/sim/bugs/NN-name.patch is one mistake: what is wrong and which rule it
breaks, the world that has to find it (a line `World: name`; without one, random),
then a diff. It is applied to a copy of the sources, and raft_sim, built from
that, runs seeds until one breaks a promise or the budget of seeds is used up. The
unpatched copy has to pass all of them first, else a catch proves nothing. A verdict
depends on the seeds only, not on how fast the machine is.
"""

import argparse
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BANK = ROOT / "build/bug-bank"
COMMON = BANK / "common"  # the unpatched copy and what is built of it
PATCHES = ROOT / "tests/sim/bugs"

BUILT = ("actors/core/base", "actors/core/cluster", "actors/core/model",
         "actors/core/raft", "tests/sim/groups", "tests/sim/model", "tests/sim/raft",
         "tests/sim/tool")
COPIED = (*BUILT, "tests/sim/board.hpp", "tests/support/map_state.hpp")
PROTOS = ("command", "peer", "raft", "record")
# What would be undefined behaviour in a container ends the program instead.
FLAGS = ("-std=c++23", "-O1", "-D_GLIBCXX_ASSERTIONS", "-w")
PROCESSES = 2
FIRST_BATCH = 25
# Seeds of the other worlds take longer and are not as many.
WORLDS_OF_ONE_GROUP = ("random", "departures")
SEEDS_OF_WORLD = 50
MS_OF_WORLD = {"groups": 2_000}
# Against bugs that never end or fill the memory; no verdict is taken from it. Of the
# processor, not of the clock, so that it does not matter how busy the machine is.
BATCH_CPU_S_MAX = 300
MEMORY_BYTES_MAX = 3 << 30


class Broken(Exception):
    """The bank itself does not work: nothing is shown about any bug."""


def run(command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          check=False)
    if done.returncode != 0:
        raise Broken(f"{command[0]}: {done.stdout.strip()[-1500:]}")
    return done.stdout


def compile_all(sources, include, out):
    """Objects of `sources`, which are pairs of (file, name of its object)."""
    launcher = ["ccache"] if shutil.which("ccache") else []
    out.mkdir(parents=True, exist_ok=True)
    made = {}
    for source, name in sources:
        made[name] = out / (name.replace("/", "_") + ".o")
        run([*launcher, os.environ.get("CXX", "c++"), *FLAGS,
             *(f"-I{folder}" for folder in include), "-c", str(source),
             "-o", str(made[name])])
    return made


def link(objects, program):
    run([os.environ.get("CXX", "c++"), "-o", str(program),
         *(str(each) for each in objects.values()), "-lprotobuf", "-pthread"])
    return program


def build_common():
    """Objects of the unpatched copy by their source's name."""
    shutil.rmtree(BANK, ignore_errors=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, COMMON / name)
        else:
            (COMMON / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, COMMON / name)
    proto = COMMON / "proto"
    proto.mkdir()
    run(["protoc", f"-I{ROOT / 'proto'}", f"--cpp_out={proto}",
         *(f"muster/{name}.proto" for name in PROTOS)])
    sources = [(path, str(path.relative_to(COMMON)))
               for folder in BUILT for path in sorted((COMMON / folder).glob("*.cpp"))]
    sources += [(proto / f"muster/{name}.pb.cc", f"{name}.pb.cc") for name in PROTOS]
    halves = [sources[n::PROCESSES] for n in range(PROCESSES)]
    objects = {}
    with ThreadPoolExecutor(PROCESSES) as pool:
        for made in pool.map(
                lambda part: compile_all(part, (COMMON, proto), COMMON / "objects"), halves):
            objects.update(made)
    return dict(sorted(objects.items()))


def build_patched(patch, objects):
    """A raft_sim with the bug; only what the patch changes is compiled again."""
    folder = BANK / patch.stem
    changed = re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.M)
    if not changed:
        raise Broken("the patch changes nothing")
    for name in changed:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(COMMON / name, folder / name)
    run(["patch", "-p1", "--fuzz=0", "--force", "--silent", "-i", str(patch)], cwd=folder)
    sources = [(folder / name, name) for name in changed if name.endswith(".cpp")]
    if any(name.endswith(".hpp") for name in changed):
        known = {name for _, name in sources}
        sources += [(COMMON / name, name) for name in objects
                    if name not in known and (COMMON / name).is_file()]
    made = compile_all(sources, (folder, COMMON, COMMON / "proto"), folder / "objects")
    return link({**objects, **made}, folder / "raft_sim")


def batch(program, world, first, count, ms):
    """None if all these seeds pass, else what went wrong first."""
    done = subprocess.run(
        [str(program), "--world", world, "--seed", str(first), "--count", str(count),
         "--ms", str(MS_OF_WORLD.get(world, ms)), "--failures", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        check=False)
    if done.returncode == 0:
        return None
    if done.returncode == -signal.SIGXCPU:
        raise Broken("the simulation does not end")
    found = re.search(r"^seed (\d+): (.*)$", done.stdout, re.M)
    if found:
        return int(found[1]), found[2]
    said = done.stderr.strip().splitlines()
    return first + count - 1, said[0][:150] if said else f"exit {done.returncode}"


def world_of(patch):
    named = re.search(r"^World: (\w+)$", patch.read_text(), re.M)
    return named[1] if named else "random"


def seeds_of(world, options):
    return options.seeds if world in WORLDS_OF_ONE_GROUP else min(options.seeds, SEEDS_OF_WORLD)


def first_failure(program, world, options):
    """What `batch` says, of growing batches, up to the budget of seeds."""
    first, count, seeds = 1, FIRST_BATCH, seeds_of(world, options)
    while first <= seeds:
        count = min(count, seeds - first + 1)
        failure = batch(program, world, first, count, options.ms)
        if failure:
            return failure
        first, count = first + count, count * 2
    return None


def check_unpatched(objects, worlds, options):
    program = link(objects, COMMON / "raft_sim")
    parts = []
    for world in worlds:
        part = -(-seeds_of(world, options) // PROCESSES)
        parts += [(world, n * part + 1, part) for n in range(PROCESSES)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        for failure in pool.map(lambda part: batch(program, *part, options.ms), parts):
            if failure:
                raise Broken("without any bug, seed {}: {}".format(*failure))


def judge(patch, objects, options):
    """(caught, line about it)"""
    begun = time.monotonic()
    world = world_of(patch)
    try:
        program = build_patched(patch, objects)
        built = time.monotonic()
        failure = first_failure(program, world, options)
    except (Broken, OSError) as problem:
        return False, f"FAIL: {patch.stem}: {problem}"
    now = time.monotonic()
    if not failure:
        return False, (f"FAIL: {patch.stem}: NOT CAUGHT by "
                       f"{seeds_of(world, options)} seeds of {world} in {now - built:.1f} s")
    return True, (f"{patch.stem}: caught within {failure[0]} seeds, {now - built:.1f} s "
                  f"(built in {built - begun:.1f} s): {failure[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only patches whose name has this in it")
    parser.add_argument("--seeds", type=int, default=4000, help="budget of each bug, in a world of one group")
    parser.add_argument("--ms", type=int, default=60_000, help="of trouble, per seed")
    options = parser.parse_args()
    patches = [each for each in sorted(PATCHES.glob("*.patch"))
               if not options.names or any(name in each.stem for name in options.names)]
    # Of this process and all it starts; many of them are meant to abort.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The hard limit kills without a name, so it comes later.
    resource.setrlimit(resource.RLIMIT_CPU, (BATCH_CPU_S_MAX, 2 * BATCH_CPU_S_MAX))
    begun = time.monotonic()
    try:
        objects = build_common()
        print(f"unpatched: built in {time.monotonic() - begun:.1f} s", flush=True)
        worlds = sorted({world_of(each) for each in patches})
        check_unpatched(objects, worlds, options)
    except (Broken, OSError) as problem:
        print(f"FAIL: {problem}\n0 passed, 1 failed, {len(patches)} skipped")
        return 1
    print("unpatched: " + ", ".join(f"{seeds_of(each, options)} seeds of {each}"
                                    for each in worlds)
          + f" pass, after {time.monotonic() - begun:.1f} s", flush=True)
    caught = 0
    with ThreadPoolExecutor(PROCESSES) as pool:
        for good, line in pool.map(lambda each: judge(each, objects, options), patches):
            caught += good
            print(line, flush=True)
    failed = len(patches) - caught
    if not patches:
        failed = 1
        print("FAIL: no bug is planted")
    print(f"board: suite=bug-bank planted={len(patches)} caught={caught} "
          f"seconds={time.monotonic() - begun:.0f}")
    print(f"{caught} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
