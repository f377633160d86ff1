// wazero's side of the bench: bench_core.wasm, driven by lines on stdin (bench/peers/README.md).
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

type side struct {
	ctx      context.Context
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	warm     api.Module
	add      api.Function
	alloc    api.Function
	echo     api.Function
}

func open(path string) (*side, error) {
	code, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &side{ctx: context.Background()}
	s.runtime = wazero.NewRuntimeWithConfig(s.ctx, wazero.NewRuntimeConfigCompiler())
	if s.compiled, err = s.runtime.CompileModule(s.ctx, code); err != nil {
		return nil, err
	}
	config := wazero.NewModuleConfig().WithName("")
	if s.warm, err = s.runtime.InstantiateModule(s.ctx, s.compiled, config); err != nil {
		return nil, err
	}
	s.add = s.warm.ExportedFunction("add")
	s.alloc = s.warm.ExportedFunction("alloc")
	s.echo = s.warm.ExportedFunction("echo")
	return s, nil
}

func sum(ctx context.Context, add api.Function, a, b uint64) error {
	answer, err := add.Call(ctx, a, b)
	if err == nil && uint32(answer[0]) != uint32(a+b) {
		err = fmt.Errorf("add answered %d", answer[0])
	}
	return err
}

func (s *side) fresh() error {
	module, err := s.runtime.InstantiateModule(s.ctx, s.compiled, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return err
	}
	if err := sum(s.ctx, module.ExportedFunction("add"), 40, 2); err != nil {
		return err
	}
	return module.Close(s.ctx)
}

// In by a copy, out by a copy into bytes of their own.
func (s *side) echoed(text []byte) ([]byte, error) {
	at, err := s.alloc.Call(s.ctx, uint64(len(text)))
	if err != nil {
		return nil, err
	}
	if !s.warm.Memory().Write(uint32(at[0]), text) {
		return nil, fmt.Errorf("memory cannot be written")
	}
	answer, err := s.echo.Call(s.ctx, at[0], uint64(len(text)))
	if err != nil {
		return nil, err
	}
	view, ok := s.warm.Memory().Read(uint32(answer[0]>>32), uint32(answer[0]))
	if !ok {
		return nil, fmt.Errorf("memory cannot be read")
	}
	return bytes.Clone(view), nil
}

func sample(size int) []byte {
	text := make([]byte, size)
	for i := range text {
		text[i] = byte('a' + i%26)
	}
	return text
}

func (s *side) check() error {
	if err := sum(s.ctx, s.add, 2, 3); err != nil {
		return err
	}
	for _, size := range []int{0, 1, 1 << 10, 64 << 10} {
		text := sample(size)
		answer, err := s.echoed(text)
		if err != nil {
			return err
		}
		if !bytes.Equal(answer, text) {
			return fmt.Errorf("echo of %d bytes answered something else", size)
		}
	}
	return s.fresh()
}

func (s *side) once(call string) func() error {
	echo := func(size int) func() error {
		text := sample(size)
		return func() error {
			answer, err := s.echoed(text)
			if err == nil && len(answer) != size {
				err = fmt.Errorf("echo answered %d bytes", len(answer))
			}
			return err
		}
	}
	switch call {
	case "fresh":
		return s.fresh
	case "warm-add":
		return func() error { return sum(s.ctx, s.add, 40, 2) }
	case "echo-1k":
		return echo(1 << 10)
	case "echo-64k":
		return echo(64 << 10)
	}
	return func() error { return fmt.Errorf("there is no call %s", call) }
}

func (s *side) run(call string, times uint64) (time.Duration, error) {
	once := s.once(call)
	start := time.Now()
	for i := uint64(0); i < times; i++ {
		if err := once(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

func main() {
	s, err := open(filepath.Join(os.Args[1], "bench_core.wasm"))
	if err == nil {
		err = s.check()
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Printf("ready wazero 1.12.0 (%s)\n", runtime.Version())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var call string
		var times uint64
		fmt.Sscan(lines.Text(), &call, &times)
		took, err := s.run(call, times)
		if err != nil {
			fmt.Println("error", err)
		} else {
			fmt.Println("ns", took.Nanoseconds())
		}
	}
}
