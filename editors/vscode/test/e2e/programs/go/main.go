package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	fmt.Println("started") // first
	name := os.Getenv("POD_NAME")
	bytes, err := os.ReadFile("/data/hello.txt")
	must(err)
	text := strings.TrimSpace(string(bytes))
	answer, err := http.Get("http://orders.shop.svc.cluster.local/orders/42")
	must(err)
	body, err := io.ReadAll(answer.Body)
	must(err)
	order, _, _ := strings.Cut(string(body), "\n")

	server := &http.Server{Addr: ":8080"}
	served := make(chan bool)
	server.Handler = http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		serve(writer, name, text, order, request.URL.Path)
		close(served)
	})
	// Serving ends when the shutdown begins; the answer is on its way until that is done.
	done := make(chan bool)
	go func() {
		<-served
		must(server.Shutdown(context.Background()))
		close(done)
	}()
	fmt.Println("listening")
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		must(err)
	}
	<-done
}

func serve(writer http.ResponseWriter, name, text, order, path string) {
	fmt.Fprintf(writer, "local go %s\n", path) // request
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
