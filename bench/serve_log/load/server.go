package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

const answer = "{\n    \"predictions\": [[0.9731], [0.0183], [0.4417]\n    ]\n}"

// serve answers every request of every connection, one after the other. net/http's server takes several goroutines for a
// connection; this one leaves the core to whom it shares it with.
func serve(listen string, pause time.Duration) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go answerAll(connection, pause)
	}
}

func answerAll(connection net.Conn, pause time.Duration) {
	defer connection.Close()
	whole := []byte(fmt.Sprintf(
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer))
	reader := bufio.NewReader(connection)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		if pause > 0 {
			time.Sleep(pause)
		}
		if _, err := connection.Write(whole); err != nil {
			return
		}
	}
}
