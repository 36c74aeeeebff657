"""What a Python program sees of the pod's files."""
import json, os, pathlib, shutil, socket, subprocess, tempfile

print("read", open("/data/file").read().strip())
print("list", sorted(os.listdir("/data/dir")))
print("scan", sorted((e.name, e.is_file(), e.stat().st_size) for e in os.scandir("/data/dir")))
print("walk", [(top, sorted(folders), sorted(names)) for top, folders, names in os.walk("/data/dir")])
print("glob", sorted(str(p) for p in pathlib.Path("/data").glob("**/a")))
print("config", dict(line.split(" = ") for line in open("/etc/app/config").read().splitlines()))
with open("/data/out.json", "w") as out:
    json.dump({"made": True}, out)
print("made", json.load(open("/data/out.json")), oct(os.stat("/data/out.json").st_mode))
shutil.copyfile("/data/out.json", "/data/copy.json")
with tempfile.NamedTemporaryFile() as local:
    shutil.copyfile("/data/copy.json", local.name)
    print("copied here", json.load(open(local.name)))
os.replace("/data/copy.json", "/data/out.json")
print("there", os.path.exists("/data/copy.json"), os.path.exists("/data/out.json"))
try:
    os.rename("/data/out.json", "/tmp/out.json")
except OSError as error:
    print("across", error.strerror)
os.makedirs("/data/tree/a/b")
shutil.rmtree("/data/tree")
print("removed", os.path.exists("/data/tree"))
print("host", socket.gethostname(), os.uname().nodename)
os.chdir("/data/dir")
print("cwd", os.getcwd(), open("a").read())
print("child", subprocess.run("cat a; cd ..; cat dir/b; pwd", shell=True, capture_output=True, text=True).stdout)
print("real", os.path.realpath("/data/absolute"), os.path.realpath("/var/run/secrets/token"))
try:
    os.execv("/bin/no-such-program", ["x"])
except OSError as error:
    print("exec", type(error).__name__)
try:
    subprocess.run(["/data/file"])
except OSError as error:
    print("exec", error.strerror)
