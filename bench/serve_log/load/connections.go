package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const timeout = 30 * time.Second

// connections keeps connections to an address, newest first. net/http's client takes two goroutines for a connection;
// this one leaves the core to whom it shares it with.
type connections struct {
	host  string
	path  string
	mutex sync.Mutex
	idle  []*connection
}

type connection struct {
	net.Conn
	reader *bufio.Reader
}

func newConnections(address string) *connections {
	parts, err := url.Parse(address)
	if err != nil || parts.Scheme != "http" {
		log.Fatalf("%q is no address such as http://host:port/path", address)
	}
	return &connections{host: parts.Host, path: parts.RequestURI()}
}

// request makes the bytes of a request.
func (c *connections) request(body []byte) []byte {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n", c.path, c.host, len(body))
	return append([]byte(head), body...)
}

// post sends a request and returns the status and the content of its answer.
func (c *connections) post(request []byte) (int, []byte, error) {
	for {
		taken, used, err := c.take()
		if err != nil {
			return 0, nil, err
		}
		status, content, err := taken.exchange(request)
		if err == nil {
			c.put(taken)
			return status, content, nil
		}
		taken.Close()
		// A server may close an idle connection just when a request is on its way; a new one shows what is wrong.
		var slow net.Error
		if !used || errors.As(err, &slow) && slow.Timeout() {
			return 0, nil, err
		}
	}
}

func (c *connections) take() (*connection, bool, error) {
	c.mutex.Lock()
	last := len(c.idle) - 1
	if last >= 0 {
		taken := c.idle[last]
		c.idle = c.idle[:last]
		c.mutex.Unlock()
		return taken, true, nil
	}
	c.mutex.Unlock()
	made, err := net.DialTimeout("tcp", c.host, timeout)
	if err != nil {
		return nil, false, err
	}
	return &connection{made, bufio.NewReader(made)}, false, nil
}

func (c *connections) put(taken *connection) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.idle = append(c.idle, taken)
}

func (c *connection) exchange(request []byte) (int, []byte, error) {
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return 0, nil, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, nil, err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, content, err
}
