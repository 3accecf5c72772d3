package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const grpcTimeout = 10 * time.Second

// rawCodec hands bytes through: the envelope is written and read by hand.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append((*v.(*[]byte))[:0], data...)
	return nil
}
func (rawCodec) Name() string { return "proto" }

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

// nacosConn is one client: a transport of its own with its stream.
type nacosConn struct {
	conn   *grpc.ClientConn
	stream grpc.ClientStream
	cancel context.CancelFunc
	answer []byte
}

// connect does what an SDK does at its start. onPush is told the kind of each
// push that is to be acknowledged, from the connection's own goroutine.
func connect(address, module string, onPush func(kind []byte)) (*nacosConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(_ context.Context, to string) (net.Conn, error) { return dialTCP(to) }),
		grpc.WithReadBufferSize(4096), grpc.WithWriteBufferSize(4096),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &nacosConn{conn: conn, cancel: cancel}
	if err = c.open(ctx, module, onPush); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *nacosConn) open(ctx context.Context, module string, onPush func([]byte)) (err error) {
	if err = c.request(payload("ServerCheckRequest", "{}")); err != nil {
		return err
	}
	c.stream, err = c.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		"/BiRequestStream/requestBiStream")
	if err != nil {
		return err
	}
	setup := payload("ConnectionSetupRequest", fmt.Sprintf(`{"clientVersion":"Nacos-Java-Client:v3.1.0",`+
		`"tenant":"","labels":{"source":"sdk","module":"%s"},"abilityTable":{}}`, module))
	if err = c.stream.SendMsg(&setup); err != nil {
		return err
	}
	go c.receive(onPush)
	// Set-up has no answer of its own: the connection is registered once a health
	// check is accepted.
	check := payload("HealthCheckRequest", "{}")
	for end := time.Now().Add(grpcTimeout); ; time.Sleep(10 * time.Millisecond) {
		if err = c.request(check); err == nil || time.Now().After(end) {
			return err
		}
	}
}

func (c *nacosConn) receive(onPush func([]byte)) {
	for {
		var message []byte
		if c.stream.RecvMsg(&message) != nil {
			return
		}
		kind, body := kindAndBody(message)
		if string(kind) == "SetupAckRequest" {
			continue
		}
		if onPush != nil {
			onPush(kind)
		}
		ack := payload(strings.TrimSuffix(string(kind), "Request")+"Response",
			`{"resultCode":200,"errorCode":0,"success":true,"requestId":"`+requestID(body)+`"}`)
		if c.stream.SendMsg(&ack) != nil {
			return
		}
	}
}

func requestID(body []byte) string {
	_, rest, _ := bytes.Cut(body, []byte(`"requestId":"`))
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(id)
}

// request is one unary call; only resultCode 200 is no error.
func (c *nacosConn) request(message []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), grpcTimeout)
	defer cancel()
	if err := c.conn.Invoke(ctx, "/Request/request", &message, &c.answer); err != nil {
		return err
	}
	if _, body := kindAndBody(c.answer); !bytes.Contains(body, successCode) {
		return errors.New(string(body))
	}
	return nil
}

func (c *nacosConn) close() {
	c.cancel()
	c.conn.Close()
}
