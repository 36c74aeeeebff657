#!/bin/bash
# A root folder with busybox and programs of this machine, each with its libraries:
# rootfs.sh FOLDER PROGRAM...
set -euo pipefail
root=$1
shift
mkdir -p "$root"/{bin,sbin,usr,etc,tmp,var,root,lib,lib64,proc,sys,dev}
chmod 1777 "$root/tmp"
cp /bin/busybox "$root/bin/busybox"
for name in $(busybox --list); do
    [ "$name" = busybox ] || ln -sf busybox "$root/bin/$name"
done
echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
echo 'root:x:0:' > "$root/etc/group"

copy() { # FILE: with its folders, and what a link leads to
    mkdir -p "$root$(dirname "$1")"
    rm -f "$root$1"
    cp -L "$1" "$root$1"
}
for program in "$@"; do
    path=$(command -v "$program")
    copy "$path"
    rm -f "$root/bin/$(basename "$path")" && copy "$path"
    # A static program has none.
    { ldd "$path" 2> /dev/null || true; } | grep -o '/[^ ]*' | while read -r library; do copy "$library"; done
done
