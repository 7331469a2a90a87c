// Command manifests builds Kustomize overlays with Kustomize's own library, decodes every object strictly into the types
// of the Kubernetes API, and checks what the API server takes without a word and what then does not work.
//
//	manifests [-outside Kind/name,...] overlay...
//	manifests -print overlay
//
// The second prints the objects that an overlay builds.
// It prints one line for each fault and exits with 1 if there is any, with 2 if it was called wrongly.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	outside := flag.String("outside", "", "objects that are made by hand, such as Secret/google-credentials")
	printed := flag.Bool("print", false, "print the objects of one overlay as YAML, and check nothing")
	flag.Parse()
	if flag.NArg() == 0 || *printed && flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if *printed {
		documents, err := build(flag.Arg(0))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Stdout.Write(bytes.Join(documents, []byte("---\n")))
		return
	}
	faults := 0
	for _, overlay := range flag.Args() {
		found, objects := check(overlay, strings.Split(*outside, ","))
		for _, fault := range found {
			fmt.Fprintf(os.Stderr, "%s: %s\n", overlay, fault)
		}
		if len(found) == 0 {
			fmt.Printf("%s: %d objects are right\n", overlay, objects)
		}
		faults += len(found)
	}
	if faults > 0 {
		os.Exit(1)
	}
}

// check gives the faults of an overlay, and how many objects it builds.
func check(overlay string, outside []string) ([]string, int) {
	documents, err := build(overlay)
	if err != nil {
		return []string{err.Error()}, 0
	}
	var faults []string
	var objects []object
	for _, document := range documents {
		decoded, err := decode(document)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		objects = append(objects, decoded)
	}
	cluster := newInventory(objects, outside)
	for _, one := range objects {
		for _, fault := range cluster.faults(one) {
			faults = append(faults, one.String()+": "+fault)
		}
	}
	return faults, len(objects)
}
