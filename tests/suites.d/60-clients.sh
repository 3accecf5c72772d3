# about: six real Nacos SDKs against one node, kill -9 included
# lane: full
# needs: release test-packages
# asan: yes
# minutes: 20
exec python3 "$ROOT/tests/clients/run.py"
