package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Names and values that all works share: what one fills another one reads.
const (
	group    = "bench"
	services = 1000
	mark     = "0123456789abcdef" // replaced by a number that changes
)

func value(size int) string { return mark + strings.Repeat("v", size-len(mark)) }

// numbered is value with the mark replaced: what a request with this number writes.
func numbered(size int, number uint64) string {
	return strconv.FormatUint(number|1<<60, 16) + value(size)[len(mark):]
}

func dataID(key int) string { return "key-" + strconv.Itoa(key) }

// groupOf spreads configs over groups; the first one has the name that other works use.
func groupOf(key, groups int) string {
	if key%groups == 0 {
		return group
	}
	return group + "-" + strconv.Itoa(key%groups)
}

// instanceOf spreads instances over the services, each with an address of its own.
func instanceOf(key int) (service, ip string) {
	return "svc-" + strconv.Itoa(key%services),
		fmt.Sprintf("10.%d.%d.%d", 1+key>>16, key>>8&255, key&255)
}

// httpWork is what a worker sends and what a good answer begins with.
type httpWork struct {
	requests [][]byte
	markAt   []int // where to put the changing number; -1 = nowhere
	want     []byte
}

func prepare(keys int, want string, make1 func(key int) []byte) *httpWork {
	work := &httpWork{want: []byte(want)}
	for key := 0; key < keys; key++ {
		request := make1(key)
		work.requests = append(work.requests, request)
		work.markAt = append(work.markAt, bytes.Index(request, []byte(mark)))
	}
	return work
}

func publishRequest(o options, key int) []byte {
	return httpRequest("POST", "/nacos/v1/cs/configs", "",
		fmt.Sprintf("dataId=%s&group=%s&content=%s", dataID(key), groupOf(key, o.groups), value(o.value)))
}

func registerRequest(key int) []byte {
	service, ip := instanceOf(key)
	return httpRequest("POST", "/nacos/v1/ns/instance", "",
		fmt.Sprintf("serviceName=%s&ip=%s&port=8080&ephemeral=true", service, ip))
}

func beatRequest(key int) []byte {
	service, ip := instanceOf(key)
	beat := fmt.Sprintf(`{"ip":"%s","port":8080,"serviceName":"DEFAULT_GROUP@@%s","cluster":"DEFAULT",`+
		`"weight":1,"metadata":{},"scheduled":false}`, ip, service)
	return httpRequest("PUT", "/nacos/v1/ns/instance/beat?serviceName="+
		url.QueryEscape("DEFAULT_GROUP@@"+service)+"&beat="+url.QueryEscape(beat), "", "")
}

// etcdRequest puts through the JSON gateway. The value is base64 already (letters,
// digits, a length that is a multiple of four), so what is stored is a quarter smaller.
func etcdRequest(key, size int) []byte {
	body := fmt.Sprintf(`{"key":"%s","value":"%s"}`,
		base64.StdEncoding.EncodeToString([]byte(dataID(key))), value(size))
	return []byte(fmt.Sprintf("POST /v3/kv/put HTTP/1.1\r\nHost: 127.0.0.1\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

func httpWorkOf(o options) (*httpWork, error) {
	switch o.work {
	case "http-get":
		return prepare(o.keys, "", func(key int) []byte {
			return httpRequest("GET", "/nacos/v1/cs/configs?dataId="+dataID(key)+"&group="+groupOf(key, o.groups), "", "")
		}), nil
	case "http-list":
		return prepare(services, "{", func(key int) []byte {
			service, _ := instanceOf(key)
			return httpRequest("GET", "/nacos/v1/ns/instance/list?serviceName="+service, "", "")
		}), nil
	case "http-register", "fill-instances", "register-chunks":
		return prepare(o.keys, "ok", registerRequest), nil
	case "http-beat":
		return prepare(o.keys, "{", beatRequest), nil
	case "http-publish", "fill-configs":
		return prepare(o.keys, "true", func(key int) []byte { return publishRequest(o, key) }), nil
	case "etcd-put":
		return prepare(o.keys, "{", func(key int) []byte { return etcdRequest(key, o.value) }), nil
	}
	return nil, fmt.Errorf("unknown work %q", o.work)
}
