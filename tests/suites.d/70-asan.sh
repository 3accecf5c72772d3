# about: unit tests, and suites marked so, under AddressSanitizer and UBSan
# lane: full
# needs: test-packages
# minutes: 60
set -euo pipefail
. "$ROOT/tools/lib/common.sh"
. "$ROOT/tools/lib/build.sh"
. "$ROOT/tools/lib/suites.sh"

# A leak is a failure; a report names the line. CAF frees its type tables late.
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:check_initialization_order=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
build asan 2>&1

unit=0
python3 "$ROOT/tests/support/ctest_counts.py" "$ROOT/build/asan/tests" |
  tee "$SUITE_LOGS/asan-unit.log" || unit=1
read -r passed _ failed _ skipped _ < <(tail -1 "$SUITE_LOGS/asan-unit.log")

export MUSTERD="$ROOT/build/asan/musterd"
while read -r file; do
  [ "$(suite_field "$file" asan no)" = yes ] || continue
  suite_run "$file" "asan-$(suite_name "$file")"
  printf '%s: %s passed, %s failed, %s skipped\n' "$(suite_name "$file")" \
    "$PASSED" "$FAILED" "$SKIPPED"
  grep -hE '^(FAIL|SKIP): ' "$LOG" || true
  passed=$((passed + PASSED))
  failed=$((failed + FAILED))
  skipped=$((skipped + SKIPPED))
done < <(suite_files)
printf 'board: suite=asan sanitized_tests=%s sanitizer_failures=%s\n' \
  "$passed" "$failed"
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ $unit = 0 ] && [ "$failed" = 0 ]
