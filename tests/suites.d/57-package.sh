# about: the Debian package: what is in it, its unit, a start from it
# lane: full
# needs: release test-packages
# minutes: 10
exec python3 "$ROOT/tests/package/check.py"
