// The page of the activity panel: filter, search, pause, copy as curl, and buttons that change rules.

import { type Entry, type EntryKind, type Filter, type Where, matches } from "../src/activity/entry";
import type { FromPage, ToPage } from "../src/activity/messages";

declare function acquireVsCodeApi(): { postMessage(message: FromPage): void; getState(): unknown; setState(state: unknown): void };

const vscode = acquireVsCodeApi();
const KINDS: EntryKind[] = ["request", "connection", "name", "file", "port", "process", "notice"];
/** More rows than that make the page slow and are read by nobody. */
const SHOWN = 1000;

const by = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const [session, search, where] = [by<HTMLSelectElement>("session"), by<HTMLInputElement>("search"), by<HTMLSelectElement>("where")];
const [pause, local, clear, rows, empty, count] = [by("pause"), by("local"), by("clear"), by("rows"), by("empty"), by("count")];

let entries = new Map<number, Entry>();
let paused = false;
/** Entries up to here were cleared away. */
let cleared = -1;
const hidden = new Set<EntryKind>();

function element<K extends keyof HTMLElementTagNameMap>(name: K, text: string, className = ""): HTMLElementTagNameMap[K] {
    const made = document.createElement(name);
    made.textContent = text;
    made.className = className;
    return made;
}

function filter(): Filter {
    const kinds = new Set(KINDS.filter((kind) => !hidden.has(kind)));
    return { kinds, where: where.value as Where | "", search: search.value };
}

function row(entry: Entry): HTMLTableRowElement {
    const line = element("tr", "", entry.kind);
    line.dataset.text = entry.text;
    const what = element("td", "");
    what.append(element("span", entry.kind, "kind"), element("span", entry.text, "text"));
    if (entry.count > 1) what.append(element("span", `×${entry.count}`, "times"));
    what.append(element("span", entry.detail, "detail"));
    const place = element("td", "");
    if (entry.where !== "none") place.append(element("span", entry.where === "notFound" ? "not found" : entry.where, `where ${entry.where}`));
    const buttons = element("td", "", "buttons");
    const { change, curl } = entry;
    for (const action of change?.actions ?? []) {
        const button = element("button", action);
        button.title = `Make ${change?.value} ${action} in this session`;
        button.onclick = () => change && vscode.postMessage({ kind: "rule", subject: change.subject, value: change.value, action });
        buttons.append(button);
    }
    if (curl) {
        const button = element("button", "curl");
        button.title = `Copy ${curl}`;
        button.onclick = () => vscode.postMessage({ kind: "copy", text: curl });
        buttons.append(button);
    }
    const time = element("td", entry.ts.slice(11, 23), "time");
    time.title = entry.ts;
    line.append(time, what, place, element("td", entry.rule, "rule"), buttons);
    return line;
}

function draw(): void {
    const wanted = filter();
    const all = [...entries.values()].filter((entry) => entry.seq > cleared);
    const shown = all.filter((entry) => matches(entry, wanted));
    rows.replaceChildren(...shown.slice(-SHOWN).reverse().map(row));
    empty.hidden = all.length > 0;
    count.textContent = shown.length === all.length ? `${all.length}` : `${shown.length} of ${all.length}`;
}

let drawing = false;
function drawSoon(): void {
    if (drawing || paused) return;
    drawing = true;
    requestAnimationFrame(() => {
        drawing = false;
        draw();
    });
}

for (const kind of KINDS) {
    const button = element("button", kind, "on");
    button.setAttribute("aria-pressed", "true");
    button.onclick = () => {
        if (!hidden.delete(kind)) hidden.add(kind);
        button.className = hidden.has(kind) ? "" : "on";
        button.setAttribute("aria-pressed", String(!hidden.has(kind)));
        draw();
    };
    by("kinds").append(button);
}
search.oninput = draw;
where.onchange = draw;
session.onchange = () => vscode.postMessage({ kind: "session", sessionId: session.value });
pause.onclick = () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    drawSoon();
};
let withLocal = false;
local.onclick = () => {
    withLocal = !withLocal;
    local.setAttribute("aria-pressed", String(withLocal));
    vscode.postMessage({ kind: "local", wanted: withLocal });
};
clear.onclick = () => {
    cleared = Math.max(cleared, ...entries.keys());
    draw();
};

window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
    switch (data.kind) {
        case "sessions":
            session.replaceChildren(
                ...data.sessions.map(({ sessionId, label }) => {
                    const option = element("option", label);
                    option.value = sessionId;
                    option.selected = sessionId === data.current;
                    return option;
                }),
            );
            session.hidden = data.sessions.length === 0;
            return;
        case "entries":
            if (data.fresh) {
                entries = new Map();
                cleared = -1;
            }
            data.entries.forEach((entry) => entries.set(entry.seq, entry));
            drawSoon();
    }
});
vscode.postMessage({ kind: "ready" });
