// Google's in-memory Pub/Sub server on loopback, for tests: prints its address, and ends when its standard input does.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"cloud.google.com/go/pubsub/v2/pstest"
)

func main() {
	server := pstest.NewServer()
	if _, err := fmt.Println(server.Addr); err != nil {
		log.Fatal(err)
	}
	// A test that is killed closes the pipe, so no server outlives it.
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		log.Fatal(err)
	}
	if err := server.Close(); err != nil {
		log.Fatal(err)
	}
}
