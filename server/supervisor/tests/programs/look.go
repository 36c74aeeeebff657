// What a static Go program sees of the pod's files.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

func main() {
	data, err := os.ReadFile("/data/file")
	fmt.Printf("read %q %v\n", data, err)
	entries, err := os.ReadDir("/data/dir")
	for _, e := range entries {
		info, _ := e.Info()
		fmt.Println("entry", e.Name(), info.Size(), info.Mode())
	}
	_, err = os.ReadFile("/data/secret")
	fmt.Println(err)
	_, err = os.Stat("/data/none")
	fmt.Println(os.IsNotExist(err))
	fmt.Println(os.WriteFile("/data/go", []byte("by go"), 0o644))
	filepath.Walk("/data/dir", func(p string, i os.FileInfo, err error) error { fmt.Println("walk", p, err); return nil })
	fmt.Println(os.Chdir("/data/dir"))
	wd, err := os.Getwd()
	fmt.Println(wd, err)
	data, err = os.ReadFile("b")
	fmt.Printf("%s %v\n", data, err)
	var all sync.WaitGroup
	wrong := make(chan string, 100)
	for i := 0; i < 100; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			name := fmt.Sprintf("/data/many-%d", i)
			if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
				wrong <- err.Error()
			}
			if b, err := os.ReadFile(name); err != nil || string(b) != name {
				wrong <- fmt.Sprint(name, string(b), err)
			}
			if err := os.Remove(name); err != nil {
				wrong <- err.Error()
			}
		}()
	}
	all.Wait()
	close(wrong)
	for w := range wrong {
		fmt.Println("wrong", w)
	}
	name, err := os.Hostname()
	fmt.Println(name, err)
}
