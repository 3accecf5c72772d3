package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	grpcTimeout = 10 * time.Second
	pathUnary   = "/Request/request"
	pathStream  = "/BiRequestStream/requestBiStream"
)

func field(to []byte, number byte, value []byte) []byte {
	to = append(to, number<<3|2)
	to = binary.AppendUvarint(to, uint64(len(value)))
	return append(to, value...)
}

// payload is Nacos' envelope: Payload{metadata=2{type=3, clientIp=8}, body=3{value=2}}.
func payload(kind, json string) []byte {
	metadata := field(field(nil, 3, []byte(kind)), 8, []byte("127.0.0.1"))
	return field(field(nil, 2, metadata), 3, field(nil, 2, []byte(json)))
}

// member finds a length-delimited field of a message; nil if there is none.
func member(message []byte, number uint64) []byte {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 || tag&7 != 2 {
			return nil
		}
		message = message[n:]
		size, n := binary.Uvarint(message)
		if n <= 0 || uint64(len(message)-n) < size {
			return nil
		}
		if tag>>3 == number {
			return message[n : n+int(size)]
		}
		message = message[n+int(size):]
	}
	return nil
}

func kindAndBody(message []byte) (kind, body []byte) {
	return member(member(message, 2), 3), member(member(message, 3), 2)
}

var successCode = []byte(`"resultCode":200`)

// nacosConn is one client: a connection of its own with its stream. Either the
// caller of `request` reads (nobody else is woken: least work), or, after `listen`,
// a goroutine that also hears pushes while nobody calls.
type nacosConn struct {
	h2      *h2
	stream  uint32
	pushes  []byte // of the stream, from the last incomplete message on
	answer  []byte // of the call under way
	onPush  func(kind []byte)
	listens bool
	call    sync.Mutex
	called  uint32
	done    chan error
}

// connect does what an SDK does at its start. onPush is told the kind of each push
// that is acknowledged.
func connect(address, module string, onPush func(kind []byte)) (*nacosConn, error) {
	h, err := dialH2(address)
	if err != nil {
		return nil, err
	}
	c := &nacosConn{h2: h, onPush: onPush, done: make(chan error, 1)}
	h.conn.SetDeadline(time.Now().Add(3 * grpcTimeout))
	if err = c.open(module); err != nil {
		c.close()
		return nil, err
	}
	h.conn.SetDeadline(time.Time{})
	return c, nil
}

func (c *nacosConn) open(module string) (err error) {
	if err = c.request(payload("ServerCheckRequest", "{}")); err != nil {
		return err
	}
	setup := payload("ConnectionSetupRequest", fmt.Sprintf(`{"clientVersion":"Nacos-Java-Client:v3.1.0",`+
		`"tenant":"","labels":{"source":"sdk","module":"%s"},"abilityTable":{}}`, module))
	if c.stream, err = c.h2.send(pathStream, setup, false); err != nil {
		return err
	}
	// Set-up has no answer of its own: the connection is registered once a health
	// check is accepted.
	check := payload("HealthCheckRequest", "{}")
	for end := time.Now().Add(grpcTimeout); ; time.Sleep(10 * time.Millisecond) {
		if err = c.request(check); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// request is one unary call; only resultCode 200 is no error.
func (c *nacosConn) request(message []byte) (err error) {
	for err = c.start(message); err == errNoCredit && !c.listens; err = c.start(message) {
		if _, err = c.readOne(); err != nil {
			return err
		}
	}
	if err == nil {
		err = c.await()
	}
	if err != nil {
		return err
	}
	if len(c.answer) < grpcHeadSize {
		return errTrailersOnly
	}
	if _, body := kindAndBody(c.answer[grpcHeadSize:]); !bytes.Contains(body, successCode) {
		return errors.New(string(body))
	}
	return nil
}

func (c *nacosConn) start(message []byte) (err error) {
	c.call.Lock()
	defer c.call.Unlock()
	c.answer = c.answer[:0]
	c.called, err = c.h2.send(pathUnary, message, true)
	return err
}

func (c *nacosConn) await() (err error) {
	if c.listens {
		select {
		case err = <-c.done:
		case <-time.After(grpcTimeout):
			err = errors.New("no answer in time")
		}
		return err
	}
	for ended := false; !ended && err == nil; {
		ended, err = c.readOne()
	}
	return err
}

// listen lets a goroutine read from now on.
func (c *nacosConn) listen() {
	c.listens = true
	go func() {
		for {
			ended, err := c.readOne()
			if err != nil || ended {
				select {
				case c.done <- err:
				default: // nobody waits
				}
			}
			if err != nil {
				c.close()
				return
			}
		}
	}()
}

// readOne reads one frame; ended: the answer of the call under way is complete.
func (c *nacosConn) readOne() (ended bool, err error) {
	f, err := c.h2.read()
	if err != nil {
		return false, err
	}
	c.call.Lock()
	called := c.called
	c.call.Unlock()
	switch {
	case f.stream == c.stream && f.kind == frameData:
		c.pushes = append(c.pushes, f.body...)
		return false, c.handlePushes()
	case f.stream == c.stream && (f.kind == frameReset || f.flags&flagEndStream != 0):
		return false, errors.New("the server ended the stream")
	case f.stream != called:
		return false, nil
	case f.kind == frameReset:
		return false, fmt.Errorf("the call was reset: %x", f.body)
	case f.kind == frameData:
		c.answer = append(c.answer, f.body...)
	}
	return f.flags&flagEndStream != 0, nil
}

func (c *nacosConn) handlePushes() error {
	for len(c.pushes) >= grpcHeadSize {
		size := grpcHeadSize + int(binary.BigEndian.Uint32(c.pushes[1:]))
		if len(c.pushes) < size {
			return nil
		}
		kind, body := kindAndBody(c.pushes[grpcHeadSize:size])
		if string(kind) != "SetupAckRequest" {
			if c.onPush != nil {
				c.onPush(kind)
			}
			ack := payload(strings.TrimSuffix(string(kind), "Request")+"Response",
				`{"resultCode":200,"errorCode":0,"success":true,"requestId":"`+requestID(body)+`"}`)
			if err := c.h2.more(c.stream, ack); err != nil {
				return err
			}
		}
		c.pushes = append(c.pushes[:0], c.pushes[size:]...)
	}
	return nil
}

func requestID(body []byte) string {
	_, rest, _ := bytes.Cut(body, []byte(`"requestId":"`))
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(id)
}

func (c *nacosConn) close() { c.h2.conn.Close() }
