# about: real Nacos SDKs on a cluster that is killed, restarted and cut apart
# lane: long
# needs: release test-packages
# minutes: 45
# Its short form takes 2 minutes; with --long there are more SDKs, and each scenario goes
# on for three minutes.
limit=15m
[ "${MUSTER_TEST_LONG:-0}" = 0 ] || limit=40m
exec timeout -k 20 $limit python3 "$ROOT/tests/clients/run_cluster.py"
