# about: real clusters that are killed, frozen and cut apart; histories are checked
# lane: full
# needs: release test-packages
# minutes: 240
# Its short form takes 10 minutes; with --long each scenario goes on for five,
# which is three hours or a bit more.
limit=18m
[ "${MUSTER_TEST_LONG:-0}" = 0 ] || limit=230m
exec timeout -k 20 $limit python3 "$ROOT/tests/cluster/run.py"
