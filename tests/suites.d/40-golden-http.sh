# about: recorded exchanges of a real Nacos 3.1 over HTTP, played again
# lane: full
# needs: release
# minutes: 5
# asan: yes
. "$ROOT/tools/lib/server.sh"
trap server_clean EXIT
server_start
python3 "$ROOT/tests/golden/replay_http.py" --port "$SERVER_PORT" --verbose
