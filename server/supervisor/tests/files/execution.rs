//! Programs that only the pod has, executed by programs of this machine.

use std::os::unix::fs::{PermissionsExt, chown};

use mirrord_protocol::event::EventKind;

use super::bed::{Bed, TARGET, compile_c, printed};

/// A session whose pod has programs in `/data/bin`.
fn bed() -> Bed {
    let bed = Bed::new();
    let bin = bed.root().join("data/bin");
    std::fs::create_dir(&bin).unwrap();
    compile_c("arguments", &bin.join("static"), &["-static"]);
    compile_c("arguments", &bin.join("dynamic"), &[]);
    let script = |name: &str, text: &str| std::fs::write(bin.join(name), text).unwrap();
    script(
        "script",
        "#!/bin/sh -e\necho \"$0: $# $1\"\nexec static \"$@\"\n",
    );
    script("twice", "#!/data/bin/script  one more \nnot read\n");
    script("bare", "echo \"bare $1\"\n");
    script("closed", "#!/bin/sh\necho never\n");
    for name in ["static", "dynamic", "script", "twice", "bare", "closed"] {
        let mode = if name == "closed" { 0o644 } else { 0o755 };
        std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(mode)).unwrap();
        chown(bin.join(name), Some(TARGET), Some(TARGET)).unwrap();
    }
    bed
}

pub fn programs_of_the_pod_are_executed() {
    let bed = bed();
    let text = "content of the pod";
    let script = "\
        export VALUE=given; PATH=/data/bin:$PATH
        /data/bin/static a \"b c\" \"\"
        (exec dynamic x)
        script 1 2
        twice 3
        bare 4
        cd /data/bin; ./static here; cd /
        closed; echo status $?
        missing; echo status $?
        /data/bin; echo status $?
        /data/bin/closed; echo status $?";
    let expected = |closed: u8| {
        format!(
            "[/data/bin/static][a][b c][] given {text}\n\
         [dynamic][x] given {text}\n\
         /data/bin/script: 2 1\n[static][1][2] given {text}\n\
         /data/bin/script: 3 one more\n[static][one more][/data/bin/twice][3] given {text}\n\
         bare 4\n\
         [./static][here] given {text}\n\
         status {closed}\nstatus 127\nstatus 126\nstatus 126\n"
        )
    };
    // dash knows no such command then, in the pod too.
    for (shell, closed) in [("dash", 127), ("bash", 126)] {
        let mut command = bed.command_with_layer(shell, &["-c", script]);
        command.stderr(std::process::Stdio::null());
        let output = command.current_dir("/").output().unwrap();
        let got = String::from_utf8(output.stdout).unwrap();
        assert_eq!(got, expected(closed), "{shell}");
    }
}

pub fn programs_of_the_pod_are_spawned() {
    let bed = bed();
    let script = "\
import os, subprocess, sys
os.environ['PATH'] = '/data/bin:' + os.environ['PATH']
os.environ['VALUE'] = 'given'
def wait(pid): sys.stdout.flush(); print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
def refused(call):
    try: call()
    except OSError as error: print(error.strerror)
run = lambda *a, **k: print(subprocess.run(a, capture_output=True, text=True, **k).stdout, end='')
run('/data/bin/static', 'a')
run('script', 'b')
run('static', cwd='/data/bin')
run('static', 'fds', close_fds=False)
out = os.open('/data/out', os.O_CREAT | os.O_RDWR | os.O_TRUNC)
actions = [(os.POSIX_SPAWN_DUP2, out, 1)]
wait(os.posix_spawn('/data/bin/static', ['zero', 's'], os.environ, file_actions=actions))
wait(os.posix_spawn('/data/bin/twice', ['zero', 't'], os.environ, file_actions=actions))
wait(os.posix_spawnp('static', ['zero', 'p'], os.environ, file_actions=actions))
wait(os.posix_spawnp('true', ['true'], os.environ))
print(open('/data/out').read(), end='')
refused(lambda: os.posix_spawn('/data/bin/closed', ['closed'], os.environ))
refused(lambda: os.posix_spawnp('missing', ['missing'], os.environ))
refused(lambda: os.execvp('missing', ['missing']))
refused(lambda: os.execv('/data/bin/closed', ['closed']))
sys.stdout.flush()
os.execvp('dynamic', ['last'] + ['x'] * 300)
";
    let python = printed({
        let mut command = std::process::Command::new("python3");
        command.args(["-c", "import sys; print(sys.executable, end='')"]);
        command
    });
    let text = "given content of the pod";
    let expected = format!(
        "[/data/bin/static][a] {text}\n\
         /data/bin/script: 1 b\n[static][b] {text}\n\
         [static] {text}\n\
         [static][fds] {text}\n\
         0\n0\n0\n0\n\
         [zero][s] {text}\n\
         /data/bin/script: 3 one more\n[static][one more][/data/bin/twice][t] {text}\n\
         [zero][p] {text}\n\
         Permission denied\nNo such file or directory\nNo such file or directory\n\
         Permission denied\n\
         [last]{} {text}\n",
        "[x]".repeat(300)
    );
    let command = bed.command_with_layer(python, &["-c", script]);
    assert_eq!(printed(command), expected);
}

pub fn programs_of_the_pod_are_executed_with_arguments_one_by_one() {
    let bed = bed();
    let program = bed.dir.path().join("one-by-one");
    compile_c("one_by_one", &program, &[]);
    let mut command = bed.command_with_layer(
        program,
        &[
            "path",
            "/data/bin/static",
            "name",
            "static",
            "five",
            "/data/bin/static",
            "environment",
            "/data/bin/dynamic",
            "many",
            "/data/bin/static",
            "path",
            "/data/bin/twice",
            "path",
            "/data/bin/closed",
            "name",
            "missing",
            "name",
            "true",
        ],
    );
    let folders = std::env::var("PATH").unwrap();
    command.env("PATH", format!("/data/bin:{folders}"));
    command.env("VALUE", "given");
    let text = "content of the pod";
    let expected = format!(
        "[zero][a] given {text}\n\
         [zero][a][b][c][d][e][f][g][h] given {text}\n\
         [0][1][2][3][4] another {text}\n\
         [0][1][2][3][4][5][6][7][8][9] another {text}\n\
         [zero]{} given {text}\n\
         /data/bin/script: 3 one more\n[static][one more][/data/bin/twice][a] given {text}\n\
         /data/bin/closed: Permission denied\n\
         missing: No such file or directory\n",
        "[x]".repeat(130)
    );
    assert_eq!(printed(command), expected);
}

/// Without the layer the kernel would have to find the program, which it cannot.
pub fn a_static_program_is_told() {
    let bed = bed();
    let script = "/data/bin/static; echo status $?";
    let printed = bed.run("sh", &["-c", script]);
    assert_eq!(printed, "status 126\n");
    let told = bed.events().into_iter().any(|event| {
        matches!(event, EventKind::Notice { text, .. }
            if text.contains("/data/bin/static is a program in the pod, which a program"))
    });
    assert!(told);
}
