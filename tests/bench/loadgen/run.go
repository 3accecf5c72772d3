package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tally is what one worker counted.
type tally struct {
	latency   histogram
	errors    uint64
	bytes     uint64
	lastError string
}

func (t *tally) fail(err error) {
	t.errors++
	t.lastError = err.Error()
}

type result struct {
	Work      string  `json:"work"`
	Conns     int     `json:"conns"`
	Seconds   float64 `json:"seconds"`
	Done      uint64  `json:"done"`
	RPS       float64 `json:"rps"`
	P50       float64 `json:"p50_us"`
	P90       float64 `json:"p90_us"`
	P99       float64 `json:"p99_us"`
	Errors    uint64  `json:"errors"`
	LastError string  `json:"last_error,omitempty"`
	Bytes     uint64  `json:"bytes"`
	Missing   int     `json:"missing,omitempty"`
	FirstRPS  float64 `json:"first_rps,omitempty"`
	LastRPS   float64 `json:"last_rps,omitempty"`
}

func summarize(o options, tallies []*tally, took time.Duration) result {
	var all tally
	for _, t := range tallies {
		all.latency.merge(&t.latency)
		all.errors += t.errors
		all.bytes += t.bytes
		if t.lastError != "" {
			all.lastError = t.lastError
		}
	}
	return result{Work: o.work, Conns: o.conns, Seconds: took.Seconds(), Done: all.latency.total,
		RPS: float64(all.latency.total) / took.Seconds(), P50: all.latency.quantile(0.5),
		P90: all.latency.quantile(0.9), P99: all.latency.quantile(0.99), Errors: all.errors,
		LastError: all.lastError, Bytes: all.bytes}
}

// caller does one request for a key; number is different for each call.
type caller interface {
	call(key int, number uint64) (bytes int, err error)
	close()
}

// closedLoop lets every caller send its next request when the last one is answered.
func closedLoop(o options, callers []caller, keys int) result {
	tallies := make([]*tally, len(callers))
	var workers sync.WaitGroup
	start := time.Now()
	var over atomic.Bool
	for i := range callers {
		tallies[i] = &tally{}
		workers.Add(1)
		go func(c caller, t *tally, seed uint64) {
			defer workers.Done()
			for before := start; !over.Load() && t.errors < 1000; {
				seed ^= seed << 13
				seed ^= seed >> 7
				seed ^= seed << 17
				size, err := c.call(int(seed%uint64(keys)), seed)
				after := time.Now()
				if err != nil {
					t.fail(err)
				} else {
					t.latency.add(after.Sub(before))
					t.bytes += uint64(size)
				}
				before = after
			}
		}(callers[i], tallies[i], uint64(i+1)*0x9E3779B97F4A7C15^uint64(start.UnixNano()))
	}
	if o.held {
		untilTold(len(callers))
	} else {
		time.Sleep(time.Duration(o.seconds * float64(time.Second)))
	}
	over.Store(true)
	workers.Wait()
	return summarize(o, tallies, time.Since(start))
}

// countedLoop sends each key of [from, to) once, in order, over all callers.
func countedLoop(o options, callers []caller, from, to, keys int) result {
	tallies := make([]*tally, len(callers))
	var next atomic.Int64
	next.Store(int64(from))
	var workers sync.WaitGroup
	start := time.Now()
	for i := range callers {
		tallies[i] = &tally{}
		workers.Add(1)
		go func(c caller, t *tally) {
			defer workers.Done()
			for t.errors < 1000 {
				n := next.Add(1) - 1
				if n >= int64(to) {
					return
				}
				before := time.Now()
				size, err := c.call(int(n)%keys, uint64(n))
				if err != nil {
					t.fail(err)
				} else {
					t.latency.add(time.Since(before))
					t.bytes += uint64(size)
				}
			}
		}(callers[i], tallies[i])
	}
	workers.Wait()
	return summarize(o, tallies, time.Since(start))
}

// httpCaller sends the requests of an httpWork over one connection.
type httpCaller struct {
	address string
	work    *httpWork
	client  *httpClient
	buffer  []byte
}

func (h *httpCaller) call(key int, number uint64) (int, error) {
	if h.client == nil {
		client, err := dialHTTP(h.address)
		if err != nil {
			return 0, err
		}
		h.client = client
	}
	request := h.work.requests[key]
	if at := h.work.markAt[key]; at >= 0 {
		h.buffer = append(h.buffer[:0], request...)
		copy(h.buffer[at:], strconv.AppendUint(nil, number|1<<60, 16))
		request = h.buffer
	}
	status, body, err := h.client.do(request)
	if err != nil {
		h.close()
		return 0, err
	}
	if status != 200 || len(body) == 0 || !bytes.HasPrefix(body, h.work.want) {
		return 0, fmt.Errorf("%d %.200s", status, body)
	}
	return len(body), nil
}

func (h *httpCaller) close() {
	if h.client != nil {
		h.client.conn.Close()
		h.client = nil
	}
}

func httpCallers(o options, work *httpWork) []caller {
	addresses := strings.Split(o.http, ",")
	callers := make([]caller, o.conns)
	for i := range callers {
		callers[i] = &httpCaller{address: addresses[i%len(addresses)], work: work}
	}
	return callers
}

func closeAll(callers []caller) {
	for _, each := range callers {
		each.close()
	}
}

const chunk = 1000

// registerChunks registers all instances in whole chunks and compares the first chunk
// with the best of the last five: the cost of one must not grow with their number.
func registerChunks(o options, callers []caller) result {
	start := time.Now()
	var first, last float64
	var total result
	for from := 0; from+chunk <= o.keys; from += chunk {
		part := countedLoop(o, callers, from, from+chunk, o.keys)
		if from == 0 {
			first = part.RPS
		}
		if from >= o.keys-5*chunk && part.RPS > last {
			last = part.RPS
		}
		total.Done += part.Done
		total.Errors += part.Errors
		total.LastError = part.LastError
	}
	took := time.Since(start).Seconds()
	return result{Work: o.work, Conns: o.conns, Seconds: took, Done: total.Done,
		RPS: float64(total.Done) / took, Errors: total.Errors, LastError: total.LastError,
		FirstRPS: first, LastRPS: last}
}
