# about: clusters whose members an address server names
# lane: full
# needs: release
# minutes: 3
exec python3 "$ROOT/tests/cluster/lookup.py"
