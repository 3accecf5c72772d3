#!/usr/bin/env bash
# tests/fuzz/run.sh SECONDS [TARGET...]: builds the fuzz targets with clang and
# runs each for so long, two at a time, from the inputs in tests/fuzz/corpus/
# (folder of the target's name). What breaks a target is kept in
# build/fuzz-findings/; run the target with that file to see it again.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib/common.sh"
. "$ROOT/tools/lib/build.sh"

seconds=$1
shift
findings="$ROOT/build/fuzz-findings"
logs="$ROOT/build/test-logs"
mkdir -p "$findings" "$logs"
build fuzz fuzz_targets 2>&1

run_target() {
  local program=$1 name
  name=$(basename "$program")
  mkdir -p "$ROOT/build/fuzz-corpus/$name" "$ROOT/tests/fuzz/corpus/$name"
  if "$program" -max_total_time="$seconds" -max_len=65536 -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$findings/$name-" \
    "$ROOT/build/fuzz-corpus/$name" "$ROOT/tests/fuzz/corpus/$name" \
    >"$logs/fuzz-$name.log" 2>&1; then
    echo ok >"$logs/fuzz-$name.result"
  else
    echo failed >"$logs/fuzz-$name.result"
  fi
}

targets=()
while read -r program; do
  [ $# -gt 0 ] && [[ " $* " != *" $(basename "$program") "* ]] && continue
  targets+=("$program")
done < <(find "$ROOT/build/fuzz/tests/fuzz" -maxdepth 1 -type f -executable |
  sort)
[ ${#targets[@]} -gt 0 ] || die "no fuzz targets were built"

for program in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
  run_target "$program" &
done
wait

passed=0 failed=0 inputs=0
for program in "${targets[@]}"; do
  name=$(basename "$program")
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/fuzz-$name.log")
  inputs=$((inputs + ${runs:-0}))
  if [ "$(cat "$logs/fuzz-$name.result")" = ok ] && [ "${runs:-0}" -gt 0 ]; then
    passed=$((passed + 1))
    echo "$name: $runs inputs in $seconds s"
  else
    failed=$((failed + 1))
    echo "FAIL: $name, see build/test-logs/fuzz-$name.log"
    tail -25 "$logs/fuzz-$name.log"
  fi
done
echo "board: suite=fuzz fuzz_inputs=$inputs fuzz_findings=$failed"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
