# about: rules of the source tree: who may include whom, sizes, banned calls
# lane: fast
# minutes: 5
exec python3 "$ROOT/tests/lint/lint.py" "$ROOT"
