#!/bin/bash
# The certificate authority of a cluster, a certificate and a kubeconfig for each of its parts:
# pki.sh FOLDER API_SERVER_IP NODE=IP...
set -euo pipefail
mkdir -p "$1"
cd "$1"
api=$2
shift 2
[ ! -e done ] || exit 0

ssl() { openssl "$@" 2> /dev/null; }
key() { ssl ecparam -genkey -name prime256v1 -noout -out "$1.key"; }
certificate() { # NAME SUBJECT [ALTERNATIVE_NAMES]
    key "$1"
    ssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
    printf 'extendedKeyUsage=clientAuth,serverAuth\n%s\n' "${3:+subjectAltName=$3}" > "$1.ext"
    ssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile "$1.ext" -out "$1.crt"
    rm "$1.csr" "$1.ext"
}
kubeconfig() { # NAME [SERVER]
    cat > "$1.kubeconfig" << Y
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://$api:6443", certificate-authority-data: "$(base64 -w0 ca.crt)"}}]
users: [{name: $1, user: {client-certificate-data: "$(base64 -w0 "$1.crt")", client-key-data: "$(base64 -w0 "$1.key")"}}]
contexts: [{name: test, context: {cluster: test, user: $1}}]
current-context: test
Y
}

key ca
ssl req -x509 -new -key ca.key -subj /CN=test-ca -days 3650 -out ca.crt
ssl genrsa -out sa.key 2048
ssl rsa -in sa.key -pubout -out sa.pub
service=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
certificate apiserver /CN=kube-apiserver "DNS:localhost,$service,IP:127.0.0.1,IP:10.96.0.1,IP:$api"
certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
certificate admin /O=system:masters/CN=admin
certificate controllers /CN=system:kube-controller-manager
certificate scheduler /CN=system:kube-scheduler
certificate proxy /CN=system:kube-proxy
for name in admin controllers scheduler proxy; do kubeconfig $name; done
for node in "$@"; do
    name=${node%%=*}
    certificate "$name" "/O=system:nodes/CN=system:node:$name" "DNS:$name,IP:${node#*=},IP:127.0.0.1"
    kubeconfig "$name"
done
touch done
