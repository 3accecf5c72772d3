// loadgen puts one kind of load on one server and prints what it saw as JSON.
// Closed loop: each connection sends its next request when the last is answered.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

type options struct {
	work    string
	http    string
	grpc    string
	conns   int
	seconds float64
	keys    int
	groups  int
	value   int
	count   int
	held    bool
}

func run(o options) (result, error) {
	switch o.work {
	case "fanout":
		return fanout(o)
	case "idle-polls":
		return idlePolls(o)
	case "idle-grpc":
		return idleStreams(o)
	case "hold-instances":
		return holdInstances(o)
	case "grpc-query", "grpc-publish", "grpc-register":
		callers, err := grpcCallers(o)
		if err != nil {
			return result{}, err
		}
		defer closeAll(callers)
		return closedLoop(o, callers, o.keys), nil
	}
	work, err := httpWorkOf(o)
	if err != nil {
		return result{}, err
	}
	callers := httpCallers(o, work)
	defer closeAll(callers)
	keys := len(work.requests)
	switch {
	case o.work == "register-chunks":
		return registerChunks(o, callers), nil
	case o.count > 0:
		return countedLoop(o, callers, 0, o.count, keys), nil
	case o.work == "fill-configs", o.work == "fill-instances":
		return countedLoop(o, callers, 0, keys, keys), nil
	}
	return closedLoop(o, callers, keys), nil
}

func main() {
	var o options
	flag.StringVar(&o.work, "work", "", "http-get, http-list, http-register, http-beat, http-publish, "+
		"etcd-put, grpc-query, grpc-publish, grpc-register, fanout, idle-polls, idle-grpc, "+
		"fill-configs, fill-instances, hold-instances, register-chunks")
	flag.StringVar(&o.http, "http", "127.0.0.1:8848", "addresses of HTTP, with commas; connections take turns")
	flag.StringVar(&o.grpc, "grpc", "127.0.0.1:9848", "address of gRPC")
	flag.IntVar(&o.conns, "conns", 64, "connections")
	flag.Float64Var(&o.seconds, "seconds", 5, "how long")
	flag.IntVar(&o.keys, "keys", 10000, "configs or instances")
	flag.IntVar(&o.groups, "groups", 1, "groups that the configs of HTTP are spread over")
	flag.IntVar(&o.value, "value", 200, "bytes of a config's content")
	flag.IntVar(&o.count, "count", 0, "so many requests instead of -seconds")
	flag.BoolVar(&o.held, "held", false, "until stdin is closed instead of -seconds")
	flag.Parse()
	r, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}
