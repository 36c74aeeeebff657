# A name server for tests: nameserver.py ADDRESS ZONE LOG
# ZONE is a file of JSON, read anew for each question:
#   {"names": {"a.b": ["10.0.0.1", "fd00::1"], "alias.b": "a.b"}, "drop_first": ["c.b"], "drop": []}
# Each question is a line "NAME TYPE" in LOG, with the name as it came.
import ipaddress, json, socket, struct, sys

address, zone_file, log_file = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((address, 53))
print("ready", flush=True)
dropped = set()


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(name, kind, data):
    return name + struct.pack(">HHIH", kind, 1, 0, len(data)) + data


while True:
    question, peer = s.recvfrom(4096)
    at, labels = 12, []
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    end = at + 5
    kind = struct.unpack(">H", question[at + 1:at + 3])[0]
    asked = ".".join(labels)
    with open(log_file, "a") as log:
        log.write(f"{asked} {kind}\n")
    with open(zone_file) as file:
        zone = json.load(file)
    name = asked.lower()
    if name in zone.get("drop", []):
        continue
    if name in zone.get("drop_first", []) and (name, kind) not in dropped:
        dropped.add((name, kind))
        continue
    records, owner = [], b"\xc0\x0c"
    found = zone["names"].get(name)
    code = 3 if found is None else 0
    while isinstance(found, str):
        records.append(record(owner, 5, wire(found)))
        owner, found = wire(found), zone["names"].get(found, [])
    for text in found or []:
        data = ipaddress.ip_address(text).packed
        if kind == {4: 1, 16: 28}[len(data)]:
            records.append(record(owner, kind, data))
    header = question[:2] + struct.pack(">5H", 0x8180 | code, 1, len(records), 0, 0)
    s.sendto(header + question[12:end] + b"".join(records), peer)
