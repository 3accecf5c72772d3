# shellcheck shell=bash
# One musterd for a shell suite. Python suites have tests/support/server.py.
#
#   server_start [args of musterd]   free ports, temporary data; sets SERVER_PORT,
#                                    SERVER_PID, SERVER_DATA, SERVER_LOG
#   server_kill9, server_stop        by process id; stop gives the exit code
#   server_again [args]              starts it again: same ports, same data
#   server_clean                     kill, remove the data
#
# MUSTERD = the program (default build/release/musterd).

server_free_port() { python3 "$ROOT/tests/support/server.py" ports; }

server_start() {
  SERVER_PORT=$(server_free_port)
  SERVER_DATA=$(mktemp -d -t muster-test-XXXXXX)
  mkdir -p "$ROOT/build/test-logs"
  SERVER_LOG="$ROOT/build/test-logs/node-$SERVER_PORT.log"
  server_again "$@"
}

server_again() {
  (cd "$SERVER_DATA" && exec "${MUSTERD:-$ROOT/build/release/musterd}" \
    --bind 127.0.0.1 --port "$SERVER_PORT" --data "$SERVER_DATA" "$@") \
    >>"$SERVER_LOG" 2>&1 &
  SERVER_PID=$!
  server_wait_ready 20
}

# server_http METHOD PATH: body of the answer on stdout; fails unless 200.
# Without curl, which a fresh machine may not have.
server_http() {
  local line status=
  exec 3<>"/dev/tcp/127.0.0.1/$SERVER_PORT" || return 1
  printf '%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' \
    "$1" "$2" >&3
  read -r -t 5 _ status _ <&3
  while read -r -t 5 line <&3 && [ "$line" != $'\r' ]; do :; done
  cat <&3
  exec 3>&-
  [ "$status" = 200 ]
}

# server_wait_ready SECONDS: until readiness says yes; fails if the process ends.
server_wait_ready() {
  local deadline=$((SECONDS + $1))
  while ! server_http GET /nacos/v1/console/health/readiness \
    >/dev/null 2>&1; do
    if ! kill -0 "$SERVER_PID" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
      printf 'musterd did not become ready; its log:\n' >&2
      tail -30 "$SERVER_LOG" >&2
      return 1
    fi
    sleep 0.05
  done
}

server_kill9() {
  kill -KILL "$SERVER_PID" 2>/dev/null || true
  wait "$SERVER_PID" 2>/dev/null || true
}

server_stop() {
  kill -TERM "$SERVER_PID" 2>/dev/null || true
  wait "$SERVER_PID"
}

server_clean() {
  server_kill9
  rm -rf "$SERVER_DATA"
}
