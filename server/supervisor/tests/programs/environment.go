// Prints a variable, its arguments and its name in the process list, then creates a file.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	comm, _ := os.ReadFile("/proc/self/comm")
	fmt.Println("shared="+os.Getenv("SHARED"), "pod="+os.Getenv("POD_VALUE"), "gone="+os.Getenv("GONE"),
		"token="+os.Getenv("MIRRORD_LAUNCH_TOKEN"), "comm="+strings.TrimSpace(string(comm)),
		"args="+strings.Join(os.Args[1:], "|"))
	file, err := os.OpenFile(os.Args[1], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	file.Close()
	fmt.Println("opened")
}
