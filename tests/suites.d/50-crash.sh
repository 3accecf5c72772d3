# about: kill -9 under write load, 50 times (200 with --long)
# lane: full
# needs: release
# asan: yes
# minutes: 15
exec python3 "$ROOT/tests/robustness/crash.py"
