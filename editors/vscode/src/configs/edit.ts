// The server's edits, made by the editor, so that they can be undone.

import { Range, Uri, WorkspaceEdit, window, workspace } from "vscode";
import type { WorkspaceEdit as Proposed } from "../server/protocol";

/** Makes it and shows the file; false when the editor refused. */
export async function applyEdit(proposed: Proposed): Promise<boolean> {
    const edit = new WorkspaceEdit();
    let file: Uri | undefined;
    for (const change of proposed.documentChanges) {
        if ("kind" in change) {
            file = Uri.parse(change.uri);
            edit.createFile(file, { overwrite: change.options?.overwrite ?? false, ignoreIfExists: change.options?.ignoreIfExists ?? false });
        } else {
            file = Uri.parse(change.textDocument.uri);
            for (const { range, newText } of change.edits) {
                const { start, end } = range;
                edit.replace(file, new Range(start.line, start.character, end.line, end.character), newText);
            }
        }
    }
    const done = await workspace.applyEdit(edit);
    if (done && file) {
        const document = await workspace.openTextDocument(file);
        await document.save();
        await window.showTextDocument(document);
    }
    return done;
}
