# about: the simulation's worlds with more seeds than the unit tests; new ones each day with --long
# lane: full
# needs: release
# minutes: 60
first=1001 times=1
if [ "${MUSTER_TEST_LONG:-0}" = 1 ]; then
  first=$(date +%Y%m%d)000 times=20
fi
passed=0 failed=0
# play WORLD SEEDS [MS]: prints `board:` lines and what fails.
play() {
  if "$ROOT/build/release/tests/sim/raft_sim" --world "$1" --seed "$first" \
    --count $(($2 * times)) --ms "${3:-60000}"; then
    passed=$((passed + 1))
  else
    printf 'FAIL: world %s\n' "$1"
    failed=$((failed + 1))
  fi
}
play random 600
play departures 400
for adversary in swizzle rolling bridge misplacing flapping deaf; do
  play $adversary 25
done
play groups 6 3000
play growth 1 2000
play model 15
if MUSTER_VIEWS_SEED=$first MUSTER_VIEWS_SEEDS=$((300 * times)) \
  "$ROOT/build/release/tests/unit/partition_views/partition_views_test"; then
  passed=$((passed + 1))
else
  echo 'FAIL: partition views'
  failed=$((failed + 1))
fi
printf '%s passed, %s failed, 0 skipped\n' $passed $failed
[ $failed = 0 ]
