// A program of Go's standard library, built for preview 1: it counts words of files in a mount, writes what it found
// beside them, and reads stdin when it is given no file.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

type count struct {
	Name  string `json:"name"`
	Words int    `json:"words"`
}

func words(name string, from io.Reader) (count, error) {
	scanner := bufio.NewScanner(from)
	scanner.Split(bufio.ScanWords)
	found := count{Name: name}
	for scanner.Scan() {
		found.Words++
	}
	return found, scanner.Err()
}

func run(folder, out string) error {
	counts := []count{}
	if folder == "" {
		found, err := words("-", os.Stdin)
		if err != nil {
			return err
		}
		counts = append(counts, found)
	} else {
		err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer file.Close()
			found, err := words(path, file)
			counts = append(counts, found)
			return err
		})
		if err != nil {
			return err
		}
	}
	sort.Slice(counts, func(i, j int) bool { return counts[i].Name < counts[j].Name })
	text, err := json.Marshal(counts)
	if err != nil {
		return err
	}
	if out != "" {
		return os.WriteFile(out, text, 0o644)
	}
	fmt.Println(string(text))
	return nil
}

func main() {
	out := flag.String("out", "", "a file to write, in place of stdout")
	flag.Parse()
	if err := run(flag.Arg(0), *out); err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(3)
	}
}
