# shellcheck shell=bash
# The suites of tools/test: every file tests/suites.d/NN-NAME.sh is one, in order
# of NN. To add a suite, add a file; nothing else has to be changed.
#
# Its head says what it is, one field a line:
#   # about: one line for `tools/test --list`
#   # lane: fast (every run), full (not with --fast), long (only with --long)
#   # needs: words of: release (build/release is built), test-packages (of
#   #        tools/lib/packages-test.txt are installed)
#   # minutes: it is killed after this long (default 10)
#   # asan: yes, if the asan suite shall run it once more with the sanitized
#   #       server in MUSTERD
# It is run by bash in the repository's folder; what it prints becomes
# build/test-logs/NAME.log. The last line has to be
#   N passed, N failed, N skipped
# A line that begins with "SKIP: " says why something was skipped, one that
# begins with "FAIL: " what failed, and one that begins with "board: " tells
# figures: words of the form name=value. A status other than 0, a kill, or a
# missing last line count as one failure.
# Environment: ROOT, MUSTERD, MUSTER_TEST_LONG (1 with --long), CI. Helpers:
# tools/lib/server.sh for shell, tests/support/server.py for Python.

SUITE_LOGS="${MUSTER_TEST_LOGS:-$ROOT/build/test-logs}"

suite_files() { printf '%s\n' "$ROOT"/tests/suites.d/[0-9]*.sh; }

suite_name() {
  local name
  name=$(basename "$1" .sh)
  printf '%s' "${name#*-}"
}

# suite_field FILE FIELD [DEFAULT]
suite_field() {
  local value
  value=$(sed -n "s/^# $2: *//p;/^[^#]/q" "$1" | head -1)
  printf '%s' "${value:-${3:-}}"
}

# suite_run FILE [LOGNAME]: sets PASSED, FAILED, SKIPPED, TOOK and LOG.
# shellcheck disable=SC2034 # the results are for the caller
suite_run() {
  local file=$1 name minutes last begin status=0
  name=${2:-$(suite_name "$file")}
  minutes=$(suite_field "$file" minutes 10)
  LOG="$SUITE_LOGS/$name.log"
  mkdir -p "$SUITE_LOGS"
  begin=$SECONDS
  (cd "$ROOT" && timeout -k 20 "${minutes}m" bash "$file") \
    >"$LOG" 2>&1 </dev/null || status=$?
  TOOK=$((SECONDS - begin))
  [ $status != 124 ] || printf 'FAIL: not done after %s minutes\n' \
    "$minutes" >>"$LOG"
  last=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$LOG" |
    tail -1) || last='0 passed, 0 failed, 0 skipped'
  read -r PASSED _ FAILED _ SKIPPED _ <<<"$last"
  if [ "$((PASSED + FAILED + SKIPPED))" = 0 ] ||
    { [ $status != 0 ] && [ "$FAILED" = 0 ]; }; then
    printf 'FAIL: ended with status %s and "%s"\n' $status "$last" >>"$LOG"
    FAILED=$((FAILED + 1))
  fi
}
