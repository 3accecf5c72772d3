package main

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// grpcCaller sends unary requests over one connection with its stream.
type grpcCaller struct {
	conn    *nacosConn
	message func(key int, number uint64) []byte
}

func (g *grpcCaller) call(key int, number uint64) (int, error) {
	err := g.conn.request(g.message(key, number))
	return len(g.conn.answer), err
}

func (g *grpcCaller) close() { g.conn.close() }

// connectMany opens n connections, a few at a time.
func connectMany(o options, module string, n int, onPush func(i int) func([]byte)) ([]*nacosConn, error) {
	conns := make([]*nacosConn, n)
	var next atomic.Int64
	var failure atomic.Value
	var workers sync.WaitGroup
	for w := 0; w < 32; w++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for failure.Load() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				var push func([]byte)
				if onPush != nil {
					push = onPush(i)
				}
				conn, err := connect(o.grpc, module, push)
				if err != nil {
					failure.Store(fmt.Errorf("connection %d: %w", i, err))
					return
				}
				conns[i] = conn
			}
		}()
	}
	workers.Wait()
	if err := failure.Load(); err != nil {
		return nil, err.(error)
	}
	return conns, nil
}

func instanceMessage(key int) []byte {
	service, ip := instanceOf(key)
	return payload("InstanceRequest", fmt.Sprintf(`{"namespace":"public","serviceName":"%s",`+
		`"groupName":"DEFAULT_GROUP","type":"registerInstance","instance":{"ip":"%s","port":8080,"weight":1.0,`+
		`"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"DEFAULT","metadata":{}}}`, service, ip))
}

func publishMessage(key int, number uint64, size int) []byte {
	return payload("ConfigPublishRequest", fmt.Sprintf(
		`{"dataId":"%s","group":"%s","tenant":"","content":"%s","additionMap":{}}`,
		dataID(key), group, numbered(size, number)))
}

func grpcMessages(o options) (module string, make1 func(key int, number uint64) []byte, err error) {
	switch o.work {
	case "grpc-query", "grpc-register":
		messages := make([][]byte, o.keys)
		for key := range messages {
			if o.work == "grpc-register" {
				messages[key] = instanceMessage(key)
			} else {
				messages[key] = payload("ConfigQueryRequest",
					fmt.Sprintf(`{"dataId":"%s","group":"%s","tenant":""}`, dataID(key), group))
			}
		}
		return map[bool]string{true: "naming", false: "config"}[o.work == "grpc-register"],
			func(key int, _ uint64) []byte { return messages[key] }, nil
	case "grpc-publish":
		return "config", func(key int, number uint64) []byte { return publishMessage(key, number, o.value) }, nil
	}
	return "", nil, fmt.Errorf("unknown work %q", o.work)
}

func grpcCallers(o options) ([]caller, error) {
	module, message, err := grpcMessages(o)
	if err != nil {
		return nil, err
	}
	conns, err := connectMany(o, module, o.conns, nil)
	if err != nil {
		return nil, err
	}
	callers := make([]caller, len(conns))
	for i, conn := range conns {
		callers[i] = &grpcCaller{conn, message}
	}
	return callers, nil
}

const (
	fanoutRounds   = 10
	fanoutDeadline = 10 * time.Second
)

// fanout has o.conns clients listen to one config, publishes it again and again,
// and measures from the answer to the publisher until each client was told.
func fanout(o options) (result, error) {
	var told atomic.Int64
	arrivals := make([]atomic.Int64, o.conns) // nanoseconds since the start; 0 = none
	start := time.Now()
	conns, err := connectMany(o, "config", o.conns, func(i int) func([]byte) {
		return func(kind []byte) {
			if bytes.HasPrefix(kind, []byte("ConfigChangeNotify")) {
				arrivals[i].Store(int64(time.Since(start)))
				told.Add(1)
			}
		}
	})
	if err != nil {
		return result{}, err
	}
	defer func() {
		for _, conn := range conns {
			conn.close()
		}
	}()
	publisher, err := dialHTTP(o.http)
	if err != nil {
		return result{}, err
	}
	for _, conn := range conns {
		conn.listen()
	}
	t, missing := &tally{}, 0
	for round := 0; round <= fanoutRounds; round++ {
		content := fmt.Sprintf("round-%d-%d", round, start.UnixNano())
		told.Store(0)
		if err := publishOnce(publisher, content); err != nil {
			return result{}, err
		}
		answered := time.Since(start)
		if round > 0 { // nobody listens before the first publish
			for told.Load() < int64(o.conns) && time.Since(start)-answered < fanoutDeadline {
				time.Sleep(time.Millisecond)
			}
			missing += o.conns - int(told.Load())
			for i := range arrivals {
				if arrival := time.Duration(arrivals[i].Swap(0)); arrival > 0 {
					t.latency.add(arrival - answered)
				}
			}
		}
		if err := listenAll(conns, content); err != nil {
			return result{}, err
		}
	}
	r := summarize(o, []*tally{t}, time.Since(start))
	r.Missing = missing
	return r, nil
}

func publishOnce(publisher *httpClient, content string) error {
	status, body, err := publisher.do(httpRequest("POST", "/nacos/v1/cs/configs", "",
		"dataId=fanout&group="+group+"&content="+content))
	if err == nil && (status != 200 || string(body) != "true") {
		err = fmt.Errorf("publish: %d %s", status, body)
	}
	return err
}

func listenAll(conns []*nacosConn, content string) error {
	message := payload("ConfigBatchListenRequest", fmt.Sprintf(`{"listen":true,"configListenContexts":`+
		`[{"dataId":"fanout","group":"%s","tenant":"","md5":"%x"}]}`, group, md5.Sum([]byte(content))))
	for _, conn := range conns {
		if err := conn.request(message); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	return nil
}
