#!/bin/bash
# The configuration files of one node: config.sh STATE NODE IP POD_CIDR. They go to STATE/NODE.
set -euo pipefail
state=$1 name=$2 ip=$3 pods=$4
node=$state/$name
mkdir -p "$node/cni-config"

# oom scores, AppArmor and systemd's cgroups: what a container, a CI job or this kernel may not have.
cat > "$node/containerd.toml" << Y
version = 2
root = "$node/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
oom_score = 0
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/local/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.internal.v1.opt"]
  path = "$node/containerd-opt"
Y

# Pods keep their address towards each other; what leaves the cluster is masqueraded by the node.
cat > "$node/cni-config/10-bridge.conflist" << Y
{"cniVersion": "0.4.0", "name": "bridge", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
Y

cat > "$node/kubelet.yaml" << Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $state/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $state/pki/$name.crt
tlsPrivateKeyFile: $state/pki/$name.key
cgroupDriver: cgroupfs
cgroupRoot: /$(cat "$state/cgroup")-$name
failCgroupV1: false
failSwapOn: false
volumePluginDir: $node/kubelet-volume-plugins
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
resolvConf: $node/resolv.conf
enforceNodeAllocatable: []
evictionHard: {imagefs.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.inodesFree: "0%", memory.available: "50Mi"}
imageGCHighThresholdPercent: 100
oomScoreAdj: 0
maxOpenFiles: 20000
nodeStatusUpdateFrequency: 10s
shutdownGracePeriod: 0s
localStorageCapacityIsolation: true
Y

cat > "$node/proxy.yaml" << Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $state/pki/proxy.kubeconfig}
clusterCIDR: 10.244.0.0/16
hostnameOverride: $name
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0}
Y

cat > "$node/Corefile" << Y
.:53 {
  bind $ip
  errors
  hosts {
    203.0.113.5 external.example.test
    fallthrough
  }
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig $state/pki/admin.kubeconfig test
    pods insecure
    ttl 5
  }
}
Y
