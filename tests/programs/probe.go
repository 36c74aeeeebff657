// What a Go program sees: run inside the pod and through us, it must print the same.
// Built twice: with cgo (dynamic, libc's resolver) and without (static, Go's own).
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func name(err error) string {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "timed out"
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "timed out"
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Sprintf("not found %v, timeout %v", dns.IsNotFound, dns.IsTimeout)
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func show(path string) {
	info, err := os.Lstat(path)
	if err != nil {
		fmt.Println("lstat", path, name(err))
		return
	}
	s := info.Sys().(*syscall.Stat_t)
	fmt.Println("lstat", path, info.Mode(), s.Nlink, s.Uid, s.Gid, info.Size(), info.ModTime().UnixNano())
	if link, err := os.Readlink(path); err == nil {
		fmt.Println("readlink", path, link)
	}
	info, err = os.Stat(path)
	if err != nil {
		fmt.Println("stat", path, name(err))
		return
	}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		names := []string{}
		for _, entry := range entries {
			names = append(names, entry.Name()+" "+entry.Type().String())
		}
		fmt.Println("readdir", path, names, name(err))
		count := 0
		err = filepath.WalkDir(path, func(string, fs.DirEntry, error) error { count++; return nil })
		fmt.Println("walk", path, count, name(err))
		if err := os.Chdir(path); err == nil {
			wd, err := os.Getwd()
			fmt.Println("getwd", wd, name(err))
			_, err = os.Stat(".")
			fmt.Println("stat .", name(err))
			os.Chdir("/")
		} else {
			fmt.Println("chdir", path, name(err))
		}
	} else if info.Mode().IsRegular() {
		data, err := os.ReadFile(path)
		fmt.Println("read", path, len(data), fmt.Sprintf("%x", sha256.Sum256(data)), name(err))
	}
}

func write(folder string) {
	a, b := filepath.Join(folder, "go-a"), filepath.Join(folder, "go-b")
	fmt.Println("write", name(os.WriteFile(a, []byte(strings.Repeat("from go\n", 1000)), 0o640)))
	fmt.Println("rename", name(os.Rename(a, b)))
	info, err := os.Stat(b)
	if err != nil {
		fmt.Println("stat", name(err))
		return
	}
	s := info.Sys().(*syscall.Stat_t)
	fmt.Println("stat", info.Mode(), info.Size(), s.Uid, s.Gid)
	fmt.Println("mkdir", name(os.MkdirAll(filepath.Join(folder, "x/y"), 0o755)))
	fmt.Println("symlink", name(os.Symlink("../../go-b", filepath.Join(folder, "x/y/link"))))
	data, err := os.ReadFile(filepath.Join(folder, "x/y/link"))
	fmt.Println("through", len(data), name(err))
	fmt.Println("remove", name(os.RemoveAll(filepath.Join(folder, "x"))), name(os.Remove(b)))
}

func tcp(ip, port string) {
	c, err := net.DialTimeout("tcp", net.JoinHostPort(ip, port), 3*time.Second)
	if err != nil {
		fmt.Println("dial", name(err))
		return
	}
	fmt.Println("peer", c.RemoteAddr(), "local", c.LocalAddr().(*net.TCPAddr).IP)
	c.Write([]byte("hello from go"))
	c.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(c)
	fmt.Println("echo", string(answer), name(err))
}

func udp(ip, port string) {
	c, err := net.Dial("udp", net.JoinHostPort(ip, port))
	if err != nil {
		fmt.Println("dial", name(err))
		return
	}
	c.SetDeadline(time.Now().Add(3 * time.Second))
	c.Write([]byte("connected"))
	buffer := make([]byte, 100)
	n, err := c.Read(buffer)
	fmt.Println("read", string(buffer[:n]), c.RemoteAddr(), name(err))
}

// Datagrams whose addresses are in struct msghdr: unconnected, connected, cut off.
func messages(ip, port string) {
	to, err := net.ResolveUDPAddr("udp", net.JoinHostPort(ip, port))
	if err != nil {
		fmt.Println("address", name(err))
		return
	}
	family := "udp6"
	if to.IP.To4() != nil {
		family = "udp4"
	}
	buffer, control := make([]byte, 100), make([]byte, 100)
	// "udp" is an IPv6 socket, which has IPv4 addresses mapped.
	for _, network := range []string{family, "udp"} {
		c, err := net.ListenUDP(network, nil)
		if err != nil {
			fmt.Println("listen", name(err))
			return
		}
		c.SetDeadline(time.Now().Add(5 * time.Second))
		n, _, err := c.WriteMsgUDP([]byte("unconnected"), nil, to)
		fmt.Println("write", n, name(err))
		n, controls, flags, from, err := c.ReadMsgUDP(buffer, control)
		fmt.Println("read", string(buffer[:n]), controls, flags, from, name(err))
		c.WriteMsgUDPAddrPort([]byte("cut off"), nil, to.AddrPort())
		n, _, flags, source, err := c.ReadMsgUDPAddrPort(buffer[:3], nil)
		fmt.Println("read", string(buffer[:n]), flags, source, name(err))
		c.Close()
	}
	c, err := net.DialUDP("udp", nil, to)
	if err != nil {
		fmt.Println("dial", name(err))
		return
	}
	c.SetDeadline(time.Now().Add(5 * time.Second))
	n, _, err := c.WriteMsgUDP([]byte("connected"), nil, nil)
	fmt.Println("write", n, name(err))
	n, _, flags, from, err := c.ReadMsgUDP(buffer, control)
	fmt.Println("read", string(buffer[:n]), flags, from, name(err))
	c.SetDeadline(time.Now().Add(50 * time.Millisecond))
	n, _, _, from, err = c.ReadMsgUDP(buffer, control)
	fmt.Println("read", n, from, name(err))
}

func serve(port string, count int) {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		fmt.Println("listen", name(err))
		os.Exit(1)
	}
	_, got, _ := net.SplitHostPort(listener.Addr().String())
	fmt.Println("listening on", got)
	var done sync.WaitGroup
	done.Add(count)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Println("request", r.URL.Path, "from", host)
		w.Header().Set("Connection", "close")
		fmt.Fprintf(w, "local go: %s from %s\n", r.URL.Path, host)
		done.Done()
	}))
	done.Wait()
	time.Sleep(100 * time.Millisecond)
}

func main() {
	args := os.Args[2:]
	switch os.Args[1] {
	case "env":
		all := os.Environ()
		sort.Strings(all)
		for _, one := range all {
			fmt.Printf("env %q\n", one)
		}
	case "files":
		for _, path := range args {
			show(path)
		}
	case "write":
		write(args[0])
	case "dns":
		for _, host := range args {
			found, err := net.LookupHost(host)
			sort.Strings(found)
			fmt.Println("lookup", host, found, name(err))
		}
	case "tcp":
		tcp(args[0], args[1])
	case "udp":
		udp(args[0], args[1])
	case "messages":
		messages(args[0], args[1])
	case "serve":
		count, _ := strconv.Atoi(args[1])
		serve(args[0], count)
	default:
		os.Exit(2)
	}
}
