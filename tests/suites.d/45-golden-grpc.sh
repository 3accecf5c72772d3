# about: recorded exchanges of a real Nacos 3.1 over gRPC, played again
# lane: full
# needs: release test-packages
# asan: yes
# minutes: 5
venv="$ROOT/build/golden-venv"
wanted="$ROOT/tests/golden/requirements.txt"
if ! cmp -s "$wanted" "$venv/installed.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q -r "$wanted"
  cp "$wanted" "$venv/installed.txt"
fi
exec "$venv/bin/python" "$ROOT/tests/golden/replay_grpc.py"
