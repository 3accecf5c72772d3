# about: power loss under write load, 20 times: the server on a disk that forgets
# lane: full
# needs: release
# minutes: 10
# A SIGKILL of this server takes everything with it that was not synced.
MUSTERD="$(dirname "$MUSTERD")/musterd-fault"
export MUSTERD
exec python3 "$ROOT/tests/robustness/crash.py" --cycles 20
