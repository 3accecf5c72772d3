# shellcheck shell=bash
# run_cluster COUNT MUSTERD ARGUMENTS...: a cluster on this machine, one process
# a node, until this script is ended; the nodes end with it. Node i listens on
# 127.0.0.1:(8848 + 10 i) and keeps its data in <data>/node<i>; --port and --data
# among the arguments move that. With --tls the nodes talk by TLS; the
# certificates are made once, in <data>/tls.
run_cluster() {
  local count=$1 musterd=$2 port=8848 data="$ROOT/data" list="" i
  local tls=""
  local -a rest=() secure=()
  shift 2
  while [ $# -gt 0 ]; do
    case "$1" in
    --port) port=$2 && shift ;;
    --port=*) port=${1#*=} ;;
    --data) data=$2 && shift ;;
    --data=*) data=${1#*=} ;;
    --tls) tls=yes ;;
    *) rest+=("$1") ;;
    esac
    shift
  done
  for ((i = 0; i < count; ++i)); do
    list+="${list:+,}127.0.0.1:$((port + 10 * i))"
  done
  if [ -n "$tls" ]; then
    tls="$data/tls"
    secure=("--cluster.tls.ca=$tls/ca.crt"
      "--cluster.tls.certificate=$tls/127.0.0.1.crt"
      "--cluster.tls.key=$tls/127.0.0.1.key")
    mkdir -p "$data"
    [ -f "$tls/127.0.0.1.crt" ] ||
      "${musterd%musterd}musterctl" tls init --dir "$tls" --node 127.0.0.1 >&2
  fi
  CLUSTER_NODES=()
  trap _end_cluster EXIT
  trap 'exit 0' INT TERM
  for ((i = 0; i < count; ++i)); do
    mkdir -p "$data"
    "$musterd" --bind 127.0.0.1 --port $((port + 10 * i)) \
      --data "$data/node$((i + 1))" --members "$list" \
      ${secure[@]+"${secure[@]}"} ${rest[@]+"${rest[@]}"} &
    CLUSTER_NODES+=($!)
  done
  _await_cluster "$port" "$count"
  # One may be killed to see what the others do.
  while ((count > 0)); do
    wait -n || true
    say "a node has ended; $((--count)) are left"
  done
}

_end_cluster() {
  local node
  for node in "${CLUSTER_NODES[@]}"; do
    kill "$node" 2>/dev/null || true
  done
  wait
}

# Whether the node with that HTTP port serves.
_is_ready() (
  exec 2>/dev/null
  exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
  printf 'GET /nacos/v3/admin/core/state/readiness HTTP/1.0\r\n\r\n' >&3
  read -r _ status _ <&3
  [ "$status" = 200 ]
)

_await_cluster() {
  local port=$1 count=$2 i
  for ((i = 0; i < count; ++i)); do
    until _is_ready $((port + 10 * i)); do
      [ "$(jobs -rp | wc -l)" = "$count" ] ||
        die "a node has ended before the cluster was ready"
      sleep 0.1
    done
  done
  say "$count nodes serve; the first is http://127.0.0.1:$port/nacos"
  printf 'try: curl "http://127.0.0.1:%s/nacos/v1/cs/configs" -d dataId=hello -d group=DEFAULT_GROUP -d content=world\n' "$port" >&2
  printf 'and: curl "http://127.0.0.1:%s/nacos/v1/cs/configs?dataId=hello&group=DEFAULT_GROUP"\n' "$((port + 10 * (count - 1)))" >&2
}
