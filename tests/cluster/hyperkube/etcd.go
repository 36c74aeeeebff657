package main

import (
	"errors"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcd serves one member until it is told to end. The cluster lives for one test: nothing is
// forced to disk.
func etcd(arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("usage: etcd FOLDER CLIENT_URL")
	}
	clients, err := url.Parse(arguments[1])
	if err != nil {
		return err
	}
	// Never used by a single member, but it must have a host and a port.
	peers, err := url.Parse("http://127.0.0.1:2380")
	if err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Dir = arguments[0]
	config.ListenClientUrls = []url.URL{*clients}
	config.AdvertiseClientUrls = []url.URL{*clients}
	config.ListenPeerUrls = []url.URL{*peers}
	config.AdvertisePeerUrls = []url.URL{*peers}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel = "warn"
	config.UnsafeNoFsync = true
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-told:
		return nil
	case err := <-server.Err():
		return err
	}
}
