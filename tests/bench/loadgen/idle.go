package main

import (
	"bufio"
	"crypto/md5"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

// untilTold says READY with a number and returns when stdin is closed: meanwhile
// the driver looks at the server.
func untilTold(ready int) {
	fmt.Printf("READY %d\n", ready)
	input := bufio.NewReader(os.Stdin)
	for {
		if _, err := input.ReadByte(); err != nil {
			return
		}
	}
}

// idlePolls holds o.conns long polls of configs, filled before, that do not change.
func idlePolls(o options) (result, error) {
	start := time.Now()
	var early atomic.Uint64
	for i := 0; i < o.conns; i++ {
		client, err := dialHTTP(o.http)
		if err != nil {
			return result{}, fmt.Errorf("connection %d: %w", i, err)
		}
		key := i % o.keys
		sum := md5.Sum([]byte(numbered(o.value, uint64(key))))
		item := fmt.Sprintf("%s\x02%s\x02%x\x01", dataID(key), group, sum)
		request := httpRequest("POST", "/nacos/v1/cs/configs/listener",
			"Long-Pulling-Timeout: 300000\r\n", "Listening-Configs="+url.QueryEscape(item))
		if _, err := client.conn.Write(request); err != nil {
			return result{}, fmt.Errorf("connection %d: %w", i, err)
		}
		conn := client.conn
		go func() { // a poll that is answered or cut is not idle
			var one [1]byte
			conn.Read(one[:])
			early.Add(1)
		}()
	}
	untilTold(o.conns)
	return result{Work: o.work, Conns: o.conns, Seconds: time.Since(start).Seconds(),
		Errors: early.Load()}, nil
}

// idleStreams holds o.conns gRPC connections that are set up and do nothing.
func idleStreams(o options) (result, error) {
	start := time.Now()
	var pushes atomic.Uint64
	conns, err := connectMany(o, "naming", o.conns, func(int) func([]byte) {
		return func([]byte) { pushes.Add(1) }
	})
	if err != nil {
		return result{}, err
	}
	for _, conn := range conns {
		conn.listen()
	}
	untilTold(len(conns))
	return result{Work: o.work, Conns: o.conns, Seconds: time.Since(start).Seconds(),
		Done: pushes.Load()}, nil
}

// holdInstances keeps instancesPerService of each service registered, each set by a
// connection of its own: without beats they do not expire while others measure.
func holdInstances(o options) (result, error) {
	const instancesPerService = 3
	conns, err := connectMany(o, "naming", instancesPerService, nil)
	if err != nil {
		return result{}, err
	}
	for i, conn := range conns {
		for service := 0; service < services; service++ {
			if err := conn.request(instanceMessage(i*services + service)); err != nil {
				return result{}, err
			}
		}
	}
	for _, conn := range conns {
		conn.listen()
	}
	untilTold(instancesPerService * services)
	return result{Work: o.work, Done: instancesPerService * services}, nil
}
