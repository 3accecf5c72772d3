# about: every fuzz target for a minute (with --long: ten)
# lane: full
# needs: test-packages
# minutes: 60
seconds=60
[ "${MUSTER_TEST_LONG:-0}" = 0 ] || seconds=600
exec bash "$ROOT/tests/fuzz/run.sh" $seconds
