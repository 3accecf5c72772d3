# about: real clusters that are killed, frozen and cut apart; histories are checked
# lane: full
# needs: release test-packages
# minutes: 180
# Its short form takes 10 minutes; with --long each scenario goes on for five.
limit=18m
[ "${MUSTER_TEST_LONG:-0}" = 0 ] || limit=175m
exec timeout -k 20 $limit python3 "$ROOT/tests/cluster/run.py"
