# about: all doctest programs of the release build
# lane: fast
# needs: release
# minutes: 20
exec python3 "$ROOT/tests/support/ctest_counts.py" "$ROOT/build/release/tests"
