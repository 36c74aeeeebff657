#!/usr/bin/env python3
"""Packs a folder as an image archive that `ctr image import` and `docker load` take, the same bytes
for the same content:

    pack.py NAME:TAG OUT.tar FOLDER [--env K=V]... [--cmd PROGRAM ARGUMENT...]
"""

import argparse
import hashlib
import io
import json
import os
import tarfile

PATH = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def nobody_in_particular(entry):
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def layer(folder):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for where, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(folders + files):
                path = os.path.join(where, name)
                tar.add(path, os.path.relpath(path, folder), recursive=False, filter=nobody_in_particular)
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("out")
    parser.add_argument("folder")
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--cmd", nargs=argparse.REMAINDER, default=[])
    given = parser.parse_args()

    content = layer(given.folder)
    digest = hashlib.sha256(content).hexdigest()
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Cmd": given.cmd, "Env": [PATH] + given.env, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
        "history": [{"created": "1970-01-01T00:00:00Z"}],
    }
    config = json.dumps(config, sort_keys=True).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [given.name], "Layers": [digest + "/layer.tar"]}]
    parts = [
        (digest + "/layer.tar", content),
        (config_name, config),
        ("manifest.json", json.dumps(manifest).encode()),
    ]
    with tarfile.open(given.out, "w") as tar:
        for name, data in parts:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


main()
