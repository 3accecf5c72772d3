# about: bugs planted into the core one by one: the simulation must find each
# lane: full
# needs: release
# minutes: 25
exec python3 "$ROOT/tests/sim/bug_bank.py"
