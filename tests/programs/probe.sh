#!/bin/sh
# What a shell script and the programs it starts see: the same inside the pod and through us.
command=$1
shift
case $command in
env) env -0 | sort -z | tr '\0\n' '\n\\' ;;
files)
    for path in "$@"; do
        ls -ldn --time-style=full-iso "$path" 2>&1
        if [ -d "$path" ]; then ls -An --time-style=full-iso "$path" 2>&1; (cd "$path" && pwd && ls | wc -l); fi
        if [ -f "$path" ]; then sha256sum "$path" 2>&1; head -c 10 "$path" 2>&1 | od -c; wc -c <"$path" 2>&1; fi
        readlink "$path"
    done ;;
write)
    umask 022
    echo one >"$1/shell" && echo two >>"$1/shell" && cat "$1/shell"
    mkdir -p "$1/s/t" && mv "$1/shell" "$1/s/t/" && cp -r "$1/s" "$1/u" && find "$1/s" "$1/u" | sort
    rm -r "$1/s" "$1/u"; ls "$1/s" 2>&1 ;;
dns) for host in "$@"; do getent ahosts "$host" | sort -u; echo "status $?"; done ;;
tcp) body=$(curl -s --max-time 3 "http://$1:$2/from-shell" 2>&1); status=$?; echo "$body" | sed "s/^peer: .*//"; echo "curl ended with $status" ;;
esac
