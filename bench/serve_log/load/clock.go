package main

import (
	"log"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// clock wakes in time. Go's own timers wake at whole milliseconds where nothing else happens, so that two requests would
// be sent at once; a timer of Linux wakes whoever polls it, as a connection does.
type clock struct {
	file *os.File
	fd   uintptr
}

func newClock() *clock {
	const monotonic = 1
	fd, _, failed := syscall.Syscall(
		syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if failed != 0 {
		log.Fatal(failed)
	}
	return &clock{os.NewFile(fd, "timer"), fd}
}

func (c *clock) sleepUntil(due time.Time) {
	left := time.Until(due)
	if left <= 0 {
		return
	}
	// An interval of none, and the time until it rings: struct itimerspec.
	rings := [2]syscall.Timespec{{}, syscall.NsecToTimespec(left.Nanoseconds())}
	_, _, failed := syscall.Syscall6(
		syscall.SYS_TIMERFD_SETTIME, c.fd, 0, uintptr(unsafe.Pointer(&rings)), 0, 0, 0)
	if failed != 0 {
		log.Fatal(failed)
	}
	var rang [8]byte
	if _, err := c.file.Read(rang[:]); err != nil {
		log.Fatal(err)
	}
}
