// Sends push requests at a constant rate, whatever the service does: latency counts from when a request was due, so
// that a service that stalls is charged for everybody who had to wait.
//
// Reads request bodies from a file, one a line. What is not acknowledged (2xx) is sent again after a pause, to the next
// service, as Pub/Sub does. Prints one JSON object.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type report struct {
	Sent         int64            `json:"sent"`
	Acknowledged int64            `json:"acknowledged"`
	Unanswered   int64            `json:"unanswered"`
	Statuses     map[string]int64 `json:"statuses"`
	Seconds      float64          `json:"seconds"`
	LateMs       float64          `json:"late_ms"`
	P50Ms        float64          `json:"p50_ms"`
	P99Ms        float64          `json:"p99_ms"`
	MaxMs        float64          `json:"max_ms"`
}

type sender struct {
	client   *http.Client
	urls     []string
	token    string
	pause    time.Duration
	deadline time.Time

	mutex     sync.Mutex
	latencies []time.Duration
	statuses  map[string]int64
	acked     atomic.Int64
	lost      atomic.Int64
}

func main() {
	rate := flag.Float64("rate", 1000, "messages a second")
	file := flag.String("messages", "", "file of request bodies, one a line")
	urls := flag.String("urls", "", "push addresses, separated by commas")
	tokenFile := flag.String("token-file", "", "file with the bearer token; none if empty")
	pause := flag.Duration("pause", 500*time.Millisecond, "pause before a message is sent again")
	limit := flag.Duration("limit", 5*time.Minute, "when to give up on what is not acknowledged")
	flag.Parse()

	bodies, err := readLines(*file)
	if err != nil {
		log.Fatal(err)
	}
	token := ""
	if *tokenFile != "" {
		content, err := os.ReadFile(*tokenFile)
		if err != nil {
			log.Fatal(err)
		}
		token = strings.TrimSpace(string(content))
	}
	s := &sender{
		client:    newClient(),
		urls:      strings.Split(*urls, ","),
		token:     token,
		pause:     *pause,
		deadline:  time.Now().Add(*limit),
		latencies: make([]time.Duration, 0, len(bodies)),
		statuses:  map[string]int64{},
	}
	encoder := json.NewEncoder(os.Stdout)
	if err := encoder.Encode(s.run(bodies, *rate)); err != nil {
		log.Fatal(err)
	}
}

func (s *sender) run(bodies [][]byte, rate float64) report {
	start := time.Now()
	late := time.Duration(0)
	var waiting sync.WaitGroup
	for number, body := range bodies {
		due := start.Add(time.Duration(float64(number) / rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		} else if -wait > late {
			late = -wait
		}
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			s.deliver(number, body, due)
		}()
	}
	sending := time.Since(start).Seconds()
	waiting.Wait()
	sort.Slice(s.latencies, func(i, j int) bool { return s.latencies[i] < s.latencies[j] })
	return report{
		Sent:         int64(len(bodies)),
		Acknowledged: s.acked.Load(),
		Unanswered:   s.lost.Load(),
		Statuses:     s.statuses,
		Seconds:      sending,
		LateMs:       milliseconds(late),
		P50Ms:        s.quantile(0.5),
		P99Ms:        s.quantile(0.99),
		MaxMs:        s.quantile(1),
	}
}

// deliver sends a message until it is acknowledged. The latency is that of the first answer.
func (s *sender) deliver(number int, body []byte, due time.Time) {
	for attempt := 0; ; attempt++ {
		status := s.send(s.urls[(number+attempt)%len(s.urls)], body)
		if attempt == 0 {
			s.record(time.Since(due))
		}
		s.count(status)
		if strings.HasPrefix(status, "2") {
			s.acked.Add(1)
			return
		}
		if time.Now().After(s.deadline) {
			s.lost.Add(1)
			return
		}
		time.Sleep(s.pause)
	}
}

func (s *sender) send(url string, body []byte) string {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return "no answer"
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "no answer"
	}
	return fmt.Sprint(response.StatusCode)
}

func (s *sender) record(latency time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.latencies = append(s.latencies, latency)
}

func (s *sender) count(status string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.statuses[status]++
}

func (s *sender) quantile(share float64) float64 {
	if len(s.latencies) == 0 {
		return 0
	}
	return milliseconds(s.latencies[int(share*float64(len(s.latencies)-1))])
}

func milliseconds(duration time.Duration) float64 {
	return float64(duration.Microseconds()) / 1000
}

func newClient() *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConns:        4096,
			MaxIdleConnsPerHost: 2048,
		},
	}
}

func readLines(path string) ([][]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var lines [][]byte
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	return lines, scanner.Err()
}
