// Sends predict requests at a constant rate to several addresses in turn, whatever they do: latency counts from when a
// request was due, so that a proxy that stalls is charged for everybody who had to wait. Requests of all addresses are
// mixed, so each meets the same load of the machine.
//
// With -serve it is the model server itself: it answers each predict request after a pause, as TensorFlow Serving does.
// Both share a core with the bench's bucket, so both are made to use little of it.
//
// Prints one JSON object: for each address its statuses, when each request was due and how long it took, and whether every
// answer was the expected one.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"os"
	"strings"
	"sync"
	"time"
)

// report has a place in both lists for each request; the first is in microseconds since 1970.
type report struct {
	Statuses  map[string]int64 `json:"statuses"`
	Wrong     int64            `json:"wrong_answers"`
	Dues      []int64          `json:"due_us"`
	Latencies []int64          `json:"latency_us"`
}

type target struct {
	report
	url   string
	mutex sync.Mutex
}

func main() {
	listen := flag.String("serve", "", "address to answer predict requests at, in place of sending them")
	pause := flag.Duration("pause", 0, "how long an answer takes")
	urls := flag.String("urls", "", "addresses with their rates: rate@url, separated by commas")
	seconds := flag.Float64("seconds", 60, "how long to send")
	rows := flag.Int("rows", 3, "instances of a request")
	flag.Parse()
	if *listen != "" {
		serve(*listen, *pause)
		return
	}
	bodies := makeBodies(*rows)
	var waiting sync.WaitGroup
	var targets []*target
	for _, one := range strings.Split(*urls, ",") {
		rate, url, found := strings.Cut(one, "@")
		var perSecond float64
		if _, err := fmt.Sscan(rate, &perSecond); err != nil || !found {
			log.Fatalf("%q is not rate@url", one)
		}
		t := &target{url: url, report: report{Statuses: map[string]int64{}}}
		targets = append(targets, t)
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			t.run(bodies, perSecond, *seconds)
		}()
	}
	waiting.Wait()
	reports := map[string]report{}
	for _, t := range targets {
		reports[t.url] = t.report
	}
	if err := json.NewEncoder(os.Stdout).Encode(reports); err != nil {
		log.Fatal(err)
	}
}

func (t *target) run(bodies [][]byte, rate, seconds float64) {
	connections := newConnections(t.url)
	requests := make([][]byte, len(bodies))
	for number, body := range bodies {
		requests[number] = connections.request(body)
	}
	clock := newClock()
	start := time.Now()
	var waiting sync.WaitGroup
	for number := 0; float64(number) < rate*seconds; number++ {
		due := start.Add(time.Duration(float64(number) / rate * float64(time.Second)))
		clock.sleepUntil(due)
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			status, content, err := connections.post(requests[number%len(requests)])
			if err != nil {
				t.count("no answer", false, due)
				return
			}
			t.count(fmt.Sprint(status), string(content) == answer, due)
		}()
	}
	waiting.Wait()
}

func (t *target) count(status string, right bool, due time.Time) {
	latency := time.Since(due)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.Statuses[status]++
	if !right {
		t.Wrong++
	}
	t.Dues = append(t.Dues, due.UnixMicro())
	t.Latencies = append(t.Latencies, latency.Microseconds())
}

// makeBodies makes requests of different rows, so that a log of them compresses as real ones do.
func makeBodies(rows int) [][]byte {
	chance := rand.New(rand.NewSource(1))
	bodies := make([][]byte, 1000)
	for number := range bodies {
		instances := make([]map[string]any, rows)
		for row := range instances {
			instances[row] = map[string]any{
				"carrier": "UA", "origin": "EWR", "dest": "IAH", "month": 1 + chance.Intn(12),
				"day": 1 + chance.Intn(28), "hour": chance.Intn(24), "distance": float64(chance.Intn(3000)) / 2,
				"wind_speed": chance.Float64() * 30, "temp": chance.NormFloat64()*10 + 50, "visib": chance.Float64() * 10,
			}
		}
		body, err := json.Marshal(map[string]any{"instances": instances})
		if err != nil {
			log.Fatal(err)
		}
		bodies[number] = body
	}
	return bodies
}
