package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

const httpTimeout = 30 * time.Second

var errMalformed = errors.New("malformed HTTP answer")

// httpClient is one keep-alive connection; requests are bytes made beforehand.
type httpClient struct {
	conn   net.Conn
	reader *bufio.Reader
	body   []byte
}

// Source addresses are spread over 127.0.0.0/8: 20,000 connections to one
// port are near the end of one address' ports.
var dialed atomic.Uint32

func dialTCP(address string) (net.Conn, error) {
	source := net.IPv4(127, 0, 0, byte(1+dialed.Add(1)/8000%200))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: source}, Timeout: httpTimeout}
	return dialer.Dial("tcp", address)
}

func dialHTTP(address string) (*httpClient, error) {
	conn, err := dialTCP(address)
	if err != nil {
		return nil, err
	}
	return &httpClient{conn: conn, reader: bufio.NewReaderSize(conn, 8192)}, nil
}

// do sends a request and reads its answer; the body is valid until the next call.
func (c *httpClient) do(request []byte) (status int, body []byte, err error) {
	if _, err = c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	return c.read()
}

func (c *httpClient) read() (status int, body []byte, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 13 {
		return 0, nil, errMalformed
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errMalformed
	}
	length, err := c.headers()
	if err != nil {
		return 0, nil, err
	}
	if length < 0 {
		body, err = c.chunks()
		return status, body, err
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	body = c.body[:length]
	_, err = io.ReadFull(c.reader, body)
	return status, body, err
}

// headers reads them all; the length of the body, or -1 if it comes in chunks.
func (c *httpClient) headers() (length int, err error) {
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			return length, nil
		}
		switch line[0] | 0x20 {
		case 'c':
			if value, found := header(line, "content-length:"); found {
				if length, err = strconv.Atoi(string(value)); err != nil {
					return 0, errMalformed
				}
			}
		case 't':
			if value, found := header(line, "transfer-encoding:"); found &&
				bytes.EqualFold(value, []byte("chunked")) {
				length = -1
			}
		}
	}
}

func header(line []byte, name string) (value []byte, found bool) {
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}

func (c *httpClient) chunks() ([]byte, error) {
	c.body = c.body[:0]
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		size, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil {
			return nil, errMalformed
		}
		start := len(c.body)
		c.body = append(c.body, make([]byte, size+2)...)
		if _, err = io.ReadFull(c.reader, c.body[start:]); err != nil {
			return nil, err
		}
		c.body = c.body[:start+int(size)]
		if size == 0 {
			return c.body, nil
		}
	}
}

// httpRequest makes the bytes of a request; extra are whole header lines.
func httpRequest(method, path, extra, body string) []byte {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: loadgen\r\n%s", method, path, extra)
	if body != "" {
		head += fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(body))
	}
	return []byte(head + "\r\n" + body)
}
