#!/bin/bash
# Process 1 of a node: init.sh STATE NODE IP CONTROL_IP. A node is a set of namespaces; what runs
# in it and what it mounts ends with this process. The node with CONTROL_IP has the control plane.
set -euo pipefail
state=$1 name=$2 ip=$3 control=$4
node=$state/$name pki=$state/pki
here=$(dirname "$(realpath "$0")")
cgroup=$(cat "$state/cgroup")-$name

say() { printf '%s %s %s\n' "$(date +%s.%3N)" "$name" "$*" >> "$state/log/times"; }
start() { # LOG COMMAND...
    "${@:2}" > "$state/log/$name-$1" 2>&1 &
}

keep() { # LOG COMMAND...: started anew whenever it ends
    while :; do
        "${@:2}" >> "$state/log/$name-$1" 2>&1 || true
        say "$1 ended"
        sleep 0.5
    done &
}

hostname "$name"
mount -t proc proc /proc
mount --make-rshared /

"$here/config.sh" "$state" "$name" "$ip" "$(cat "$node/pods")"

# What a node writes outside of the state folder goes to its own mounts.
mount -t tmpfs tmpfs /run
mkdir -p /run/containerd /run/lock /run/sysctl "$node"/{kubelet,cni,containerd,pod-logs,container-logs}
private() { # FOLDER PLACE
    mkdir -p "$2"
    mount --bind "$1" "$2"
}
private "$node/kubelet" /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
private "$node/cni" /var/lib/cni
private "$node/pod-logs" /var/log/pods
private "$node/container-logs" /var/log/containers
private "$node/cni-config" /etc/cni/net.d
cat "$state/hosts" > "$node/hosts"
mount --bind "$node/hosts" /etc/hosts
echo "nameserver $control" > "$node/resolv.conf"
mount --bind "$node/resolv.conf" /etc/resolv.conf

# kubelet insists on these settings of the machine: it finds them set, and nothing is set.
for setting in kernel/panic=10 kernel/panic_on_oops=1 vm/overcommit_memory=1 vm/panic_on_oom=0 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=/run/sysctl/$(tr / _ <<< "${setting%=*}")
    echo "${setting#*=}" > "$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
done

# The root of its containers' control groups, in every hierarchy (version 1) or the one (version 2).
for hierarchy in /sys/fs/cgroup/*/ /sys/fs/cgroup/; do
    [ -e "$hierarchy/cgroup.procs" ] && mkdir -p "$hierarchy/$cgroup" 2> /dev/null || continue
    if [ -e "$hierarchy/cpuset.cpus" ]; then
        cat "$hierarchy/cpuset.cpus" > "$hierarchy/$cgroup/cpuset.cpus"
        cat "$hierarchy/cpuset.mems" > "$hierarchy/$cgroup/cpuset.mems"
    fi
done

# Addresses of services are rewritten before they are routed, but a route there must be.
ip link add services type veth peer name services-end
ip link set services up
ip link set services-end up
ip route add 10.96.0.0/16 dev services
echo 1 > /proc/sys/net/ipv4/ip_forward
nft -f - << 'N'
table ip mirrord_test {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        ip saddr 10.244.0.0/16 ip daddr != { 10.244.0.0/16, 10.96.0.0/16 } masquerade
    }
}
N

if [ "$ip" = "$control" ]; then
    start etcd etcd "$state/etcd" http://127.0.0.1:2379
    keep apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
        --service-cluster-ip-range=10.96.0.0/16 --advertise-address="$ip" --bind-address=0.0.0.0 --secure-port=6443 \
        --service-account-issuer=https://kubernetes.default.svc.cluster.local \
        --service-account-signing-key-file="$pki/sa.key" --service-account-key-file="$pki/sa.pub" \
        --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
        --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
        --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
        --authorization-mode=Node,RBAC --allow-privileged=true --profiling=false \
        --enable-admission-plugins=NodeRestriction --cert-dir="$state/apiserver"
fi
start containerd containerd --config "$node/containerd.toml"
until curl -sk --cert "$pki/admin.crt" --key "$pki/admin.key" "https://$control:6443/readyz" | grep -qx ok; do sleep 0.1; done
say "API server ready"
if [ "$ip" = "$control" ]; then
    start controllers kube-controller-manager --kubeconfig="$pki/controllers.kubeconfig" --service-account-private-key-file="$pki/sa.key" \
        --root-ca-file="$pki/ca.crt" --use-service-account-credentials=true --leader-elect=false \
        --flex-volume-plugin-dir="$state/flexvolume" --bind-address=127.0.0.1 --profiling=false
    start scheduler kube-scheduler --kubeconfig="$pki/scheduler.kubeconfig" --leader-elect=false --bind-address=127.0.0.1 --profiling=false
    start coredns coredns -conf "$node/Corefile"
    start addons kubectl --kubeconfig="$pki/admin.kubeconfig" apply -f "$state/dns.yaml"
fi
until ctr version > /dev/null 2>&1; do sleep 0.1; done
for image in "$state"/images/*.tar; do
    ctr -n k8s.io images import "$image" >> "$state/log/$name-images" 2>&1
done
say "images imported"
start kubelet kubelet --config="$node/kubelet.yaml" --kubeconfig="$pki/$name.kubeconfig" --hostname-override="$name" --node-ip="$ip" --cert-dir="$node/kubelet/pki"
start proxy kube-proxy --config="$node/proxy.yaml"
say "node started"

# Reaps what is left to it, until it is killed.
trap 'exit 0' TERM INT
while :; do
    wait -n 2> /dev/null || true
    sleep 1
done
