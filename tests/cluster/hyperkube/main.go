// Command hyperkube is a whole Kubernetes, with etcd and kubectl, in one binary: the component is
// the program's name or its first argument. Nobody publishes such a binary to a package registry,
// but all of its parts are there as Go modules.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata"

	"github.com/spf13/cobra"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"

	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// The components by name. etcd is apart: it has no command of its own in its module.
var components = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

func main() {
	// cobra takes the arguments from os.Args: a component given as the first one moves to the front.
	name := filepath.Base(os.Args[0])
	if components[name] == nil && name != "etcd" {
		if len(os.Args) < 2 {
			fail("usage: hyperkube COMPONENT [ARGUMENT...]")
		}
		os.Args = os.Args[1:]
		name = os.Args[0]
	}
	if name == "etcd" {
		if err := etcd(os.Args[1:]); err != nil {
			fail("etcd: " + err.Error())
		}
		return
	}
	command, known := components[name]
	if !known {
		fail("hyperkube: no component is called " + name)
	}
	os.Exit(cli.Run(command()))
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(2)
}
